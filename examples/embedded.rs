//! A shell beside a running web service, in the same process: the service answers on a port, and the prompt on the
//! terminal sees and changes its live state.
//!
//! ```console
//! $ cargo run --example embedded
//! http://127.0.0.1:41237/
//! …
//! Greeting-service> status()
//! maintenance  false
//! served       3
//! Greeting-service> maintenance(true)
//! ```

use std::{
    future::IntoFuture,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use admin_shell::{AdminShell, Cx, Helpers, Result, Shell};
use axum::{Router, extract::State, http::StatusCode, routing::get};
use serde::Serialize;

/// The service's state, shared by its requests and the shell.
#[derive(Default)]
struct Service {
    maintenance: AtomicBool,
    served: AtomicU64,
}

async fn hello(State(service): State<Arc<Service>>) -> (StatusCode, &'static str) {
    if service.maintenance.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "back soon\n");
    }
    service.served.fetch_add(1, Ordering::Relaxed);
    (StatusCode::OK, "hello\n")
}

impl AdminShell for Service {
    const COMPONENT: &'static str = "greeting-service";

    fn helpers(helpers: &mut Helpers<Self>) {
        helpers.read("status", "How the service is at this moment.").example("status()").run(status);
        helpers
            .write("maintenance", "Closes the service for maintenance, or opens it again.")
            .param("on", "Whether it is closed.")
            .example("maintenance(true)")
            .run(maintenance);
    }
}

#[derive(Serialize)]
struct Status {
    maintenance: bool,
    served: u64,
}

async fn status(cx: Cx<Service>) -> Result<Status> {
    Ok(Status { maintenance: cx.maintenance.load(Ordering::Relaxed), served: cx.served.load(Ordering::Relaxed) })
}

async fn maintenance(cx: Cx<Service>, on: bool) -> Result<Status> {
    cx.maintenance.store(on, Ordering::Relaxed);
    status(cx).await
}

async fn serve() -> Result<()> {
    let service = Arc::new(Service::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}/", listener.local_addr()?);
    let router = Router::new().route("/", get(hello)).with_state(Arc::clone(&service));
    let server = tokio::spawn(axum::serve(listener, router).into_future());

    let left = Shell::shared(service).run().await?;
    println!("the shell was left ({left}), and the service ends with it");
    server.abort();
    Ok(())
}

/// A shell runs on either kind of runtime. On a single thread, a helper that blocks holds up the service too.
fn main() -> Result<()> {
    let single = std::env::args().any(|arg| arg == "--single-threaded");
    let mut runtime = if single {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    runtime.enable_all().build()?.block_on(serve())
}
