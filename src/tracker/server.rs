//! Listening, and stopping: the doors behind one address, with TLS or without, and metrics behind another.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::Path,
    time::Duration,
};

use axum::Router;
use axum_server::{
    Handle,
    accept::NoDelayAcceptor,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};

use super::{
    Gate, Names, Tracker,
    frame::{Limits, frame},
    mcp, rest,
};

/// Requests that run get this long to end.
const GRACE: Duration = Duration::from_secs(10);
/// The head of a request has to be there by then.
const HEAD: Duration = Duration::from_secs(10);

/// Where a tracker listens, and how.
#[derive(Debug)]
pub struct Server {
    /// For everything.
    pub listener: TcpListener,
    /// What it speaks TLS with.
    pub tls: Option<RustlsConfig>,
    /// For metrics alone. On loopback without tokens, since Prometheus can not mint one every hour, and without TLS, since
    /// no certificate is for that address.
    pub metrics: Option<TcpListener>,
    /// How much is too much.
    pub limits: Limits,
    /// What it is called on `/mcp`.
    pub names: Names,
}

/// A certificate and its key, both PEM.
///
/// # Errors
/// When one can not be read, or they do not belong together.
pub async fn tls(certificate: &Path, key: &Path) -> io::Result<RustlsConfig> {
    RustlsConfig::from_pem_file(certificate, key).await
}

impl Server {
    /// Serves until `stop` resolves; then requests that run end, new ones are refused. Must be called in a tokio
    /// runtime.
    ///
    /// # Errors
    /// When a listener fails.
    pub async fn serve(self, tracker: Tracker, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let (handle, metrics_handle) = (Handle::new(), Handle::new());
        let handles = [handle.clone(), metrics_handle.clone()];
        let stopping = tracker.stopping();
        tokio::spawn(async move {
            stop.await;
            // Streams of events would be open for ever.
            stopping.cancel();
            handles.iter().for_each(|handle| handle.graceful_shutdown(Some(GRACE)));
        });
        let counting = tokio::spawn(tracker.clone().keep_counting());
        let doors = rest::router(tracker.clone()).merge(mcp::router(tracker.clone(), self.names));
        let doors = frame(tracker.clone(), self.limits.clone(), doors);
        let everything = listen(self.listener, self.tls.clone(), doors, handle);
        let outcome = match self.metrics {
            None => everything.await,
            Some(listener) => {
                let is_near = listener.local_addr()?.ip().is_loopback();
                let (tracker, tls) =
                    if is_near { (tracker.with_gate(Gate::open()), None) } else { (tracker, self.tls) };
                let doors = frame(tracker.clone(), self.limits, rest::metrics_router(tracker));
                tokio::try_join!(everything, listen(listener, tls, doors, metrics_handle)).map(drop)
            }
        };
        counting.abort();
        outcome
    }
}

async fn listen(
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    doors: Router,
    handle: Handle<SocketAddr>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let service = doors.into_make_service_with_connect_info::<SocketAddr>();
    let mut server = axum_server::from_tcp(listener)?.handle(handle);
    server.http_builder().http1().timer(hyper_util::rt::TokioTimer::new()).header_read_timeout(HEAD);
    // Answers are small: waiting to fill a packet would double the time of each.
    let server = server.acceptor(NoDelayAcceptor::new());
    match tls {
        None => server.serve(service).await,
        Some(config) => server.map(|near| RustlsAcceptor::new(config).acceptor(near)).serve(service).await,
    }
}
