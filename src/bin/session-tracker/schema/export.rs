//! `schema export`: every schema in a file of its own, `<event_type>.schema.json`.

use std::path::PathBuf;

use admin_shell::event::{schema, schema_names};
use anyhow::Context;
use clap::Args;

use crate::{
    exit::Stop,
    output::{Output, Sheet},
};

#[derive(Debug, Args)]
pub(super) struct Export {
    /// The directory to write to; it is made where it is missing.
    #[arg(long, value_name = "DIR", default_value = "schemas")]
    output: PathBuf,
}

pub(super) fn run(export: Export) -> Result<(), Stop> {
    let directory = &export.output;
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
