//! The flags of every shell, and those of a component's own settings.

use std::{ffi::OsString, path::PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use schemars::JsonSchema;
use serde_json::{Map, Value};

use crate::{config::Overrides, event::check_reason};

/// What every shell understands on its command line.
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// Run this code and leave.
    #[arg(short = 'c', value_name = "CODE", allow_hyphen_values = true, conflicts_with_all = ["file", "script"])]
    pub(super) code: Option<OsString>,
    /// Run this script and leave; `-` is standard input.
    #[arg(short = 'f', value_name = "FILE", conflicts_with = "script")]
    pub(super) file: Option<PathBuf>,
    /// The same as -f, so that files can begin with #!.
    #[arg(value_name = "FILE")]
    pub(super) script: Option<PathBuf>,
    /// Print the result as one JSON document; what scripts print goes to standard error.
    #[arg(long)]
    pub(super) json: bool,
    /// Refuse everything that changes something.
    #[arg(long)]
    pub(super) read_only: bool,
    /// Confirm what is asked about, with the reason given.
    #[arg(long, requires = "reason")]
    pub(super) yes: bool,
    /// Why the session is opened; kept in the record.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(super) reason: Option<String>,
    /// The journal: a path, sqlite:PATH, or postgres://USER@HOST/DATABASE.
    #[arg(long, value_name = "URL")]
    pub(super) database: Option<String>,
    /// Deliver the events of this session here too: a tracker's URL, jsonl:PATH, stdout:, none: or another scheme. Several
    /// are separated by commas.
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub(super) sink: Vec<String>,
    /// No colours.
    #[arg(long)]
    pub(super) no_color: bool,
    /// What goes into the log file, for example `debug`.
    #[arg(long, value_name = "FILTER")]
    pub(super) log: Option<String>,
}

impl Flags {
    pub(super) fn overrides(&self) -> Overrides {
        let sink = (!self.sink.is_empty()).then(|| self.sink.join(","));
        Overrides { database: self.database.clone(), sink, log: self.log.clone() }
    }
}

fn reason(text: &str) -> Result<String, String> {
    check_reason(text).map(|()| text.to_owned()).map_err(|invalid| invalid.to_string())
}

/// The command line of a component, with a flag for each of its own settings.
pub(super) fn command(component: &'static str, version: Option<&'static str>, settings: &Value) -> Command {
    let name = format!("{component}-shell");
    let command = Command::new(name.clone()).bin_name(name).version(version.unwrap_or(env!("CARGO_PKG_VERSION")));
    let about = format!("The admin shell of {component}. Every session and every command is recorded.");
    let own = properties(settings).map(|(name, property)| {
        let flag = name.replace('_', "-");
        let help = property["description"].as_str().unwrap_or_default().to_owned();
        let arg = Arg::new(format!("own.{name}")).long(flag).help(help).help_heading("Settings of the component");
        if has_type(property, "boolean") {
            arg.action(ArgAction::Set).num_args(0..=1).default_missing_value("true").value_parser(["true", "false"])
        } else {
            arg.value_name("VALUE")
        }
    });
    // After the flags, which would say what they are instead.
    Flags::augment_args(command).args(own.collect::<Vec<_>>()).about(about)
}

/// The flags, and the component's own settings as they were given.
pub(super) fn read(matches: &ArgMatches, settings: &Value) -> Result<(Flags, Map<String, Value>), clap::Error> {
    let flags = Flags::from_arg_matches(matches)?;
    let mut own = Map::new();
    for (name, property) in properties(settings) {
        if let Some(text) = matches.get_one::<String>(&format!("own.{name}")) {
            own.insert(name.clone(), typed(property, text));
        }
    }
    Ok((flags, own))
}

/// A setting that was written as text: what its schema says is text stays text, also when it looks like a number.
pub(super) fn typed(property: &Value, text: &str) -> Value {
    let value = if has_type(property, "string") { None } else { serde_json::from_str(text).ok() };
    value.unwrap_or_else(|| Value::from(text))
}

/// The JSON Schema that the component's own flags are made from.
pub(super) fn schema_of<C: JsonSchema>() -> Value {
    let mut settings = schemars::generate::SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    schemars::SchemaGenerator::from(settings).into_root_schema_for::<C>().into()
}

fn properties(settings: &Value) -> impl Iterator<Item = (&String, &Value)> {
    settings["properties"].as_object().into_iter().flatten()
}

fn has_type(property: &Value, name: &str) -> bool {
    match &property["type"] {
        Value::String(one) => one == name,
        Value::Array(several) => several.iter().any(|one| one == name),
        _ => false,
    }
}
