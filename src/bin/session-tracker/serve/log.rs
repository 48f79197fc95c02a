//! The service's log: standard error, or a file that only its user may read.

use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt, path::Path, sync::Mutex};

use admin_shell::config::log_filter;
use anyhow::Context;
use tracing_subscriber::{
    Layer,
    fmt::{layer, writer::BoxMakeWriter},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::exit::Stop;

pub(crate) fn start(filter: &str, file: Option<&Path>) -> Result<(), Stop> {
    let targets = log_filter(filter).map_err(|error| Stop::Usage(format!("--log: {error}")))?;
    let writer = match file {
        None => BoxMakeWriter::new(std::io::stderr),
        Some(path) => {
            let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
            BoxMakeWriter::new(Mutex::new(file.with_context(|| format!("opening the log {}", path.display()))?))
        }
    };
    let layer = layer().with_ansi(false).with_writer(writer).log_internal_errors(false);
    let _ = tracing_subscriber::registry().with(layer.with_filter(targets)).try_init();
    Ok(())
}
