//! Listening, and stopping: the doors behind one address, with TLS or without.

use std::{io, net::SocketAddr, path::Path, time::Duration};

use axum::Router;
use axum_server::{Handle, accept::NoDelayAcceptor, tls_rustls::RustlsConfig};

use super::{
    Tracker,
    frame::{Limits, frame},
    rest,
};

/// Requests that run get this long to end.
const GRACE: Duration = Duration::from_secs(10);
/// The head of a request has to be there by then.
const HEAD: Duration = Duration::from_secs(10);

/// Every door of a tracker. Must be called in a tokio runtime.
pub fn app(tracker: Tracker, limits: Limits) -> Router {
    frame(tracker.clone(), limits, rest::router(tracker))
}

/// A certificate and its key, both PEM.
///
/// # Errors
/// When one can not be read, or they do not belong together.
pub async fn tls(certificate: &Path, key: &Path) -> io::Result<RustlsConfig> {
    RustlsConfig::from_pem_file(certificate, key).await
}

/// Serves until `stop` resolves; then requests that run end, new ones are refused.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: std::net::TcpListener,
    tls: Option<RustlsConfig>,
    app: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let handle = Handle::new();
    let stopping = handle.clone();
    tokio::spawn(async move {
        stop.await;
        stopping.graceful_shutdown(Some(GRACE));
    });
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    let mut server = axum_server::from_tcp(listener)?.handle(handle);
    server.http_builder().http1().timer(hyper_util::rt::TokioTimer::new()).header_read_timeout(HEAD);
    // Answers are small: waiting to fill a packet would double the time of each.
    let server = server.acceptor(NoDelayAcceptor::new());
    match tls {
        None => server.serve(service).await,
        Some(config) => {
            server.map(|near| axum_server::tls_rustls::RustlsAcceptor::new(config).acceptor(near)).serve(service).await
        }
    }
}
