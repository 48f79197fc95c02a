//! `serve`: the tracker as a service, over the same journal that shells on this machine write.
//!
//! Beyond loopback it starts only with something to check tokens with.

mod forward;
pub(crate) mod log;

use std::{
    net::{SocketAddr, TcpListener},
    num::NonZeroU32,
    path::PathBuf,
};

use admin_shell::{
    journal,
    tracker::{
        Limits, Names, Tracker,
        server::{Server, tls},
    },
};
use anyhow::Context;
use clap::Args;
use tokio::{
    net::lookup_host,
    signal::unix::{SignalKind, signal},
};

use crate::{
    cli::Source,
    exit::{Stop, say},
    keys::Keys,
};

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen. Beyond loopback only with a secret or --jwks.
    #[arg(long, value_name = "ADDRESS", env = "SESSION_TRACKER_LISTEN", default_value = "127.0.0.1:8678")]
    listen: String,
    #[command(flatten)]
    keys: Keys,
    /// A certificate (PEM) to speak TLS with.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Where everything goes on to: sinks as in ADMIN_SHELL_SINK, another tracker's URL for one.
    #[arg(long, value_name = "URL", env = "SESSION_TRACKER_FORWARD", value_delimiter = ',')]
    forward: Vec<String>,
    /// Where to show metrics, and nothing else; on loopback without tokens and without TLS.
    #[arg(long, value_name = "ADDRESS", env = "SESSION_TRACKER_METRICS_LISTEN")]
    metrics_listen: Option<String>,
    /// Requests of one caller in a second, at most; 0: any number.
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    rate: u32,
    /// A name that clients reach the tracker by on /mcp, beside addresses and the names of this machine.
    #[arg(long, value_name = "NAME", env = "SESSION_TRACKER_ALLOW_HOST", value_delimiter = ',')]
    allow_host: Vec<String>,
    /// What is logged: a level, or `target=level`, comma separated.
    #[arg(long, value_name = "FILTER", env = "ADMIN_SHELL_LOG", default_value = "info,rmcp=warn")]
    log: String,
    /// Log into this file instead of standard error.
    #[arg(long, value_name = "FILE")]
    log_file: Option<PathBuf>,
}

pub(crate) async fn run(serve: Serve, source: &Source) -> Result<(), Stop> {
    log::start(&serve.log, serve.log_file.as_deref())?;
    let gate = serve.keys.gate().await?;
    let address = resolve("--listen", &serve.listen).await?;
    let gate_is_open = gate.is_open();
    if gate_is_open && !address.ip().is_loopback() {
        return Err(unguarded("--listen", &serve.listen));
    }
    // Caught from here on: a stop that comes while it starts is obeyed as well.
    let stop = stop()?;
    let database = source.database()?;
    let journal = journal::open(database.opening()).await?;
    if let Some(error) = journal.read_only() {
        return Err(error.clone().into());
    }
    let tracker = Tracker::new(journal, Some(database.place().to_owned()), gate);
    let tls = match (&serve.tls_cert, &serve.tls_key) {
        (Some(certificate), Some(key)) => {
            let tls = tls(certificate, key).await.with_context(|| format!("reading {}", certificate.display()));
            Some(tls?)
        }
        _ => None,
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    let listener = bind(address)?;
    let metrics = match &serve.metrics_listen {
        None => None,
        Some(listen) => {
            let address = resolve("--metrics-listen", listen).await?;
            if gate_is_open && !address.ip().is_loopback() {
                return Err(unguarded("--metrics-listen", listen));
            }
            Some(bind(address)?)
        }
    };
    let at = |listener: &TcpListener| listener.local_addr().context("listening");
    say(&format!("session-tracker listens on {scheme}://{}, journal {database}", at(&listener)?));
    if let Some(metrics) = &metrics {
        let address = at(metrics)?;
        let scheme = if address.ip().is_loopback() { "http" } else { scheme };
        say(&format!("Metrics: {scheme}://{address}/metrics"));
    }
    if gate_is_open {
        say(
            "No secret is set: whoever reaches this address may read and write. Set SESSION_TRACKER_SECRET to ask for \
             tokens.",
        );
    }
    let limits = Limits { rate: NonZeroU32::new(serve.rate), ..Limits::default() };
    let server = Server { listener, tls, metrics, limits, names: Names::new(serve.allow_host) };
    let forwarding = forward::start(&serve.forward, &tracker, database.place())?;
    server.serve(tracker.clone(), stop).await.context("serving")?;
    if let Some(forwarding) = forwarding {
        forwarding.end().await;
    }
    tracker.journal().close().await;
    Ok(())
}

fn bind(address: SocketAddr) -> Result<TcpListener, Stop> {
    Ok(TcpListener::bind(address).with_context(|| format!("listening on {address}"))?)
}

fn unguarded(option: &str, listen: &str) -> Stop {
    Stop::Usage(format!(
        "{option} {listen}: beyond loopback a tracker needs to know who calls: set SESSION_TRACKER_SECRET (32 bytes or \
         more, `openssl rand -base64 48` makes one) or give --jwks; or listen on 127.0.0.1"
    ))
}

async fn resolve(option: &str, listen: &str) -> Result<SocketAddr, Stop> {
    let wrong =
        |why: &str| Stop::Usage(format!("{option} {listen}: {why}; give an address and a port, 127.0.0.1:8678"));
    let mut found = lookup_host(listen).await.map_err(|error| wrong(&error.to_string()))?;
    found.next().ok_or_else(|| wrong("it names no address"))
}

/// Resolves at SIGTERM or SIGINT.
fn stop() -> Result<impl Future<Output = ()> + Send + 'static, Stop> {
    let catch = |kind| signal(kind).context("catching signals").map_err(Stop::Failed);
    let (mut terminate, mut interrupt) = (catch(SignalKind::terminate())?, catch(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: requests that run may end");
    })
}
