//! `list`: sessions, newest first, narrowed by filters.

mod table;

use std::time::Duration;

use self::table::{Detail, sessions};
use crate::{
    answer::{Records, columns, value},
    cli::Source,
    clock,
    exit::{Stop, say},
    output::{Format, Output},
};
use admin_shell::journal::{Filter, SessionRecord, SessionStatus};
use clap::{Args, builder::PossibleValuesParser, builder::TypedValueParser};
use jiff::Timestamp;

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only sessions of this component.
    #[arg(long, value_name = "NAME")]
    component: Option<String>,
    /// Only sessions of this user.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only sessions on this machine.
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Only sessions of components of this type.
    #[arg(long = "type", value_name = "TYPE")]
    component_type: Option<String>,
    /// Only sessions that stand so now.
    #[arg(long, value_name = "STATUS", value_parser = status())]
    status: Option<SessionStatus>,
    /// Only sessions started at this time or later.
    #[arg(long, value_name = "TIME", value_parser = clock::time)]
    after: Option<Timestamp>,
    /// Only sessions started before this time.
    #[arg(long, value_name = "TIME", value_parser = clock::time)]
    before: Option<Timestamp>,
    /// Only sessions open for longer than this, running ones too.
    #[arg(long, value_name = "LENGTH", value_parser = clock::span, alias = "duration-greater")]
    longer_than: Option<Duration>,
    /// Only sessions open for less than this.
    #[arg(long, value_name = "LENGTH", value_parser = clock::span)]
    shorter_than: Option<Duration>,
    /// Only sessions that are open.
    #[arg(long)]
    active: bool,
    /// Only sessions that never said an end of their own.
    #[arg(long)]
    incomplete: bool,
    /// Only sessions with a command that contains this.
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// At most so many, 1 to 1000.
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    #[command(flatten)]
    output: Output,
}

fn status() -> impl TypedValueParser<Value = SessionStatus> {
    PossibleValuesParser::new(SessionStatus::ALL.map(SessionStatus::as_str)).map(|word| {
        let named = SessionStatus::ALL.into_iter().find(|status| status.as_str() == word);
        named.expect("the parser lets these words through only")
    })
}

pub(crate) async fn run(list: List, source: &Source) -> Result<(), Stop> {
    let format = list.output.format();
    let place = source.reading_if_there().await?;
    let (records, has_more) = match &place {
        Some(place) => place.sessions(&list.filter(), list.limit).await?,
        None => (Vec::new(), false),
    };
    let mut sheet = list.output.open()?;
    if format == Format::Table {
        if !records.is_empty() {
            let detail = if sheet.is_terminal() { Detail::Short } else { Detail::Full };
            sheet.lines(&sessions(&records, detail, sheet.width()))?;
        }
    } else {
        let mut answer = Records::begin(&mut sheet, format, columns::<SessionRecord>())?;
        for record in &records {
            answer.push(&value(record)?)?;
        }
        answer.end()?;
    }
    sheet.finish()?;
    match &place {
        None => say(&format!("No sessions yet: there is no journal at {}.", source.database()?)),
        Some(_) if records.is_empty() && format == Format::Table => say("No sessions match."),
        Some(_) if has_more => say(&format!(
            "There are more than these {}: narrow the list, or raise --limit (at most 1000).",
            records.len()
        )),
        Some(_) => {}
    }
    Ok(())
}

impl List {
    fn filter(&self) -> Filter {
        Filter {
            component: self.component.clone(),
            user: self.user.clone(),
            host: self.host.clone(),
            component_type: self.component_type.clone(),
            status: self.status,
            after: self.after,
            before: self.before,
            longer_than: self.longer_than,
            shorter_than: self.shorter_than,
            active: self.active,
            incomplete: self.incomplete,
            text: self.text.clone(),
        }
    }
}
