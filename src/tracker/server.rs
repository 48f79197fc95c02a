//! Listening, and stopping: the doors behind one address.

use std::{net::SocketAddr, time::Duration};

use axum::Router;
use tokio::net::TcpListener;

use super::{Tracker, rest};

/// Requests that run get this long to end.
const GRACE: Duration = Duration::from_secs(10);

/// Every door of a tracker.
pub fn app(tracker: Tracker) -> Router {
    rest::router(tracker)
}

/// Serves until `stop` resolves; then requests that run end, new ones are refused.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (over, mut is_over) = tokio::sync::watch::channel(());
    let stop = async move {
        stop.await;
        drop(over);
    };
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(stop);
    let patience = async {
        let _ = is_over.changed().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = serving => served,
        () = patience => Ok(()),
    }
}
