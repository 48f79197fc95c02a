//! `schema export`: every schema in a file of its own, `<event_type>.schema.json`.

use std::path::{Path, PathBuf};

use admin_shell::event::{schema, schema_names};
use anyhow::Context;
use clap::Args;
use serde_json::Value;

use crate::{
    exit::Stop,
    output::{Output, Sheet},
};

#[derive(Debug, Args)]
pub(super) struct Export {
    /// The directory to write to; it is made where it is missing.
    #[arg(value_name = "DIR", default_value = "schemas")]
    directory: PathBuf,
    /// The same as an option.
    #[arg(long, value_name = "DIR", hide = true, conflicts_with = "directory")]
    output: Option<PathBuf>,
}

pub(super) fn run(export: Export) -> Result<(), Stop> {
    let directory = export.output.as_ref().unwrap_or(&export.directory);
    // Every file is looked at before one is written: half of an export is worth nothing.
    for name in schema_names() {
        let path = directory.join(format!("{name}.schema.json"));
        if path.exists() && !is_schema_of(&path, name) {
            return Err(Stop::failed(format!(
                "{} is there and is no schema of `{name}`: nothing was written; move it away or name another directory",
                path.display()
            )));
        }
    }
    std::fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    let mut said = Sheet::stdout();
    for (name, schema) in schema_names().iter().filter_map(|name| Some((name, schema(name)?))) {
        let path = directory.join(format!("{name}.schema.json"));
        let mut file = Output::to(path.clone()).open()?;
        file.lines(&serde_json::to_string_pretty(&schema).map_err(anyhow::Error::from)?)?;
        file.finish()?;
        said.lines(&path.display().to_string())?;
    }
    said.finish()
}

/// Whether a file is what an export has written, maybe of another version.
fn is_schema_of(path: &Path, name: &str) -> bool {
    let schema: Option<Value> = std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    schema.is_some_and(|schema| schema["title"] == name && schema["$schema"].is_string())
}
