//! The log: a file in the state directory, never the prompt. It is made when there is something to write.
//!
//! What is secret stays out of it, like out of everything else that is kept: each line is redacted, with what the
//! session knows to be secret once there is a session.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context;
use tracing_subscriber::{fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{config::log_filter, redact::Redactor};

/// Starts logging for a program.
///
/// # Errors
/// When the filter can not be read.
pub(super) fn start(name: &str, filter: Option<&str>) -> crate::Result<Log> {
    let filter = filter.unwrap_or("warn");
    let targets = log_filter(filter).context("log (`--log`, `ADMIN_SHELL_LOG`)")?;
    let path = crate::config::state_dir().join(format!("{name}.log"));
    let log = Log(Arc::new(Mutex::new(Lazy { path, file: None, redactor: Redactor::default() })));
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(log.clone());
    // A log that can not be written is no news for the prompt, where the layer would say so.
    let layer = layer.log_internal_errors(false);
    // A host program may have a subscriber of its own already; then that one hears us.
    let _ = tracing_subscriber::registry().with(targets).with(layer).try_init();
    Ok(log)
}

/// A log file.
#[derive(Clone)]
pub(crate) struct Log(Arc<Mutex<Lazy>>);

struct Lazy {
    path: PathBuf,
    file: Option<File>,
    redactor: Redactor,
}

impl Log {
    /// Masks from now on what this redactor knows to be secret.
    pub(super) fn mask_with(&self, redactor: Redactor) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).redactor = redactor;
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lazy = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lazy.file.is_none() {
            if let Some(directory) = lazy.path.parent() {
                std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
            }
            lazy.file = Some(OpenOptions::new().create(true).append(true).mode(0o600).open(&lazy.path)?);
        }
        // The layer writes an event with one call, so that no secret is cut in two.
        let text = lazy.redactor.text(&String::from_utf8_lossy(bytes)).into_string();
        if let Some(file) = &mut lazy.file {
            file.write_all(text.as_bytes())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
