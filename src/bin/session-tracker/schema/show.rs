//! `schema show`: one schema, as JSON.

use admin_shell::event::{schema, schema_names};
use clap::Args;

use crate::{exit::Stop, output::Sheet};

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The event type, as `schema list` names it.
    name: String,
}

pub(super) fn run(show: Show) -> Result<(), Stop> {
    let Some(schema) = schema(&show.name) else {
        let names = schema_names().join(", ");
        return Err(Stop::NotFound(format!("no event type `{}` has a schema; there are: {names}", show.name)));
    };
    let mut sheet = Sheet::stdout();
    sheet.lines(&serde_json::to_string_pretty(&schema).map_err(anyhow::Error::from)?)?;
    sheet.finish()
}
