//! `schema list`: the event types that have a schema, in the order in which a session writes them.

use admin_shell::{
    event::{schema, schema_names},
    render::table,
};
use clap::Args;
use serde_json::{Value, json};

use crate::{
    answer::Records,
    exit::Stop,
    output::{Format, Output},
};

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(list: List) -> Result<(), Stop> {
    let format = list.output.format();
    let mut sheet = list.output.open()?;
    let described = schema_names().iter().map(|name| {
        let description = schema(name).and_then(|schema| schema["description"].as_str().map(str::to_owned));
        (*name, description.unwrap_or_default())
    });
    if format == Format::Table {
        let rows: Vec<Vec<Value>> =
            described.map(|(name, description)| vec![json!(name), json!(description)]).collect();
        let text = table(&["name", "description"], &rows, sheet.width());
        sheet.lines(&text)?;
    } else {
        let mut records = Records::begin(&mut sheet, format, ["name", "description"].map(str::to_owned).into())?;
        for (name, description) in described {
            records.push(&json!({"name": name, "description": description}))?;
        }
        records.end()?;
    }
    sheet.finish()
}
