//! Writing records in the formats for programs: a JSON array, JSON lines, CSV. Tables are each command's own.
//!
//! Records are written as they come, so that a long answer needs no memory. Control characters and bidirectional overrides
//! are `\u` escapes in JSON, which every parser reads back.

use admin_shell::render::json;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{
    csv,
    exit::Stop,
    output::{Format, Output, Sheet},
};

/// A list of records that is being written.
pub(crate) struct Records<'s> {
    sheet: &'s mut Sheet,
    format: Format,
    columns: Vec<String>,
    count: usize,
}

impl<'s> Records<'s> {
    /// Begins the list; `columns` are the header of CSV.
    pub(crate) fn begin(sheet: &'s mut Sheet, format: Format, columns: Vec<String>) -> Result<Self, Stop> {
        match format {
            Format::Json => sheet.text("[")?,
            Format::Csv => sheet.text(&csv::row(&columns)?)?,
            Format::Ndjson | Format::Table => {}
        }
        Ok(Self { sheet, format, columns, count: 0 })
    }

    /// One record more.
    pub(crate) fn push(&mut self, record: &Value) -> Result<(), Stop> {
        let text = match self.format {
            Format::Json => format!("{}\n{}", if self.count > 0 { "," } else { "" }, json(record)),
            Format::Csv => csv::record(record, &self.columns)?,
            Format::Ndjson | Format::Table => json(record) + "\n",
        };
        self.count += 1;
        self.sheet.text(&text)
    }

    /// Shows what was written until now.
    pub(crate) fn flush(&mut self) -> Result<(), Stop> {
        self.sheet.flush()
    }

    /// Ends the list.
    pub(crate) fn end(self) -> Result<(), Stop> {
        match self.format {
            Format::Json => self.sheet.text(if self.count > 0 { "\n]\n" } else { "]\n" }),
            Format::Ndjson | Format::Csv | Format::Table => Ok(()),
        }
    }
}

/// Writes one record: for people the text, for programs the record.
pub(crate) fn one<T: Serialize>(output: &Output, record: &T, text: impl FnOnce(&Sheet) -> String) -> Result<(), Stop> {
    let mut sheet = output.open()?;
    let value = value(record)?;
    match output.format() {
        Format::Table => {
            let text = text(&sheet);
            sheet.lines(&text)?;
        }
        Format::Json | Format::Ndjson => sheet.lines(&json(&value))?,
        format @ Format::Csv => {
            let columns = value.as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default();
            let mut records = Records::begin(&mut sheet, format, columns)?;
            records.push(&value)?;
            records.end()?;
        }
    }
    sheet.finish()
}

/// A record as JSON.
pub(crate) fn value<T: Serialize>(record: &T) -> Result<Value, Stop> {
    serde_json::to_value(record).map_err(|error| Stop::Failed(error.into()))
}

/// The fields of a type of records, in their order: the header of a list that may be empty.
pub(crate) fn columns<T: JsonSchema>() -> Vec<String> {
    let schema = schemars::schema_for!(T).to_value();
    schema["properties"].as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
}
