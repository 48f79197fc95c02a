//! The log: a file in the state directory, never the prompt. It is made when there is something to write.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use tracing_subscriber::{filter::Targets, fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt};

/// Starts logging for a program.
///
/// # Errors
/// When the filter can not be read.
pub(super) fn start(name: &str, filter: Option<&str>) -> crate::Result<()> {
    let filter = filter.unwrap_or("warn");
    let targets: Targets = filter.parse().map_err(|error| anyhow::anyhow!("log: `{filter}` is no filter: {error}"))?;
    let file = LogFile(Arc::new(Mutex::new(Lazy {
        path: crate::config::state_dir().join(format!("{name}.log")),
        file: None,
    })));
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(file);
    // A host program may have a subscriber of its own already; then that one hears us.
    let _ = tracing_subscriber::registry().with(targets).with(layer).try_init();
    Ok(())
}

#[derive(Clone)]
struct LogFile(Arc<Mutex<Lazy>>);

struct Lazy {
    path: PathBuf,
    file: Option<File>,
}

impl<'w> MakeWriter<'w> for LogFile {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lazy = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lazy.file.is_none() {
            if let Some(directory) = lazy.path.parent() {
                std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
            }
            lazy.file = Some(OpenOptions::new().create(true).append(true).mode(0o600).open(&lazy.path)?);
        }
        match &mut lazy.file {
            Some(file) => file.write(bytes),
            None => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
