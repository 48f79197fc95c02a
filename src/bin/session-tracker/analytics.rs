//! `analytics`: statistics over the sessions of some days.

use std::path::PathBuf;

use admin_shell::{
    Width,
    analytics::{Answer, Period, Query, Row, Span},
    render::table,
};
use clap::{Args, ValueEnum, builder::PossibleValuesParser, builder::TypedValueParser};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    answer::{Records, value},
    cli::Source,
    clock,
    exit::Stop,
    output::{Format, Output},
};

#[derive(Debug, Args)]
pub(crate) struct Analytics {
    /// What to ask: sessions, duration, components, errors, active.
    #[arg(value_parser = query(), required_unless_present = "metric")]
    query: Option<Query>,
    /// The same by its older name.
    #[arg(long, hide = true, conflicts_with = "query")]
    metric: Option<Metric>,
    /// The last so many days.
    #[arg(long, value_name = "COUNT", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=365), conflicts_with = "after")]
    days: u32,
    /// Instead: from the day of this time on.
    #[arg(long, value_name = "TIME", value_parser = clock::time)]
    after: Option<Timestamp>,
    /// Until this time.
    #[arg(long, value_name = "TIME", value_parser = clock::time)]
    before: Option<Timestamp>,
    /// Only of this component.
    #[arg(long, value_name = "NAME")]
    component: Option<String>,
    /// Rows at most, 1 to 1000.
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Rows by time instead of by component.
    #[arg(long, value_name = "PERIOD")]
    period: Option<By>,
    /// How to write the answer [default: table, or what the extension of --output says]; text is table.
    #[arg(long, value_name = "FORMAT")]
    format: Option<Form>,
    /// Write to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Metric {
    Duration,
    Count,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    Daily,
    Weekly,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    Table,
    Text,
    Json,
    Csv,
}

fn query() -> impl TypedValueParser<Value = Query> {
    PossibleValuesParser::new(Query::ALL.map(Query::as_str))
        .map(|word| word.parse().expect("the parser lets these words through only"))
}

pub(crate) async fn run(analytics: Analytics, source: &Source) -> Result<(), Stop> {
    let query = match (analytics.query, analytics.metric) {
        (Some(query), _) => query,
        (None, Some(Metric::Duration)) => Query::Duration,
        (None, _) => Query::Sessions,
    };
    let mut span = Span::days(analytics.days, Timestamp::now());
    span.after = analytics.after.unwrap_or(span.after);
    span.before = analytics.before.unwrap_or(span.before);
    if span.after >= span.before {
        return Err(Stop::Usage("--after: must be earlier than --before".to_owned()));
    }
    span.component = analytics.component;
    span.limit = analytics.limit;
    span.period = analytics.period.map(|period| match period {
        By::Daily => Period::Daily,
        By::Weekly => Period::Weekly,
    });
    let answer = source.reading().await?.analytics(query, &span).await?;
    let output = Output::at(analytics.output);
    let format = match analytics.format {
        None => output.format(),
        Some(Form::Table | Form::Text) => Format::Table,
        Some(Form::Json) => Format::Json,
        Some(Form::Csv) => Format::Csv,
    };
    let mut sheet = output.open()?;
    match format {
        Format::Table => {
            let text = text(&answer, sheet.width());
            sheet.lines(&text)?;
        }
        Format::Json | Format::Ndjson => sheet.lines(&admin_shell::render::json(&value(&answer)?))?,
        Format::Csv => {
            let rows: Vec<Value> = match query {
                Query::Errors => answer.most_common.iter().map(|common| json!(common)).collect(),
                Query::Active => answer.open.iter().map(|session| json!(session)).collect(),
                _ => answer.rows.iter().chain([&answer.total]).map(|row| json!(row)).collect(),
            };
            let names: Vec<String> = match query {
                Query::Errors => ["error", "component_name", "count"].map(str::to_owned).into(),
                Query::Active => crate::answer::columns::<admin_shell::journal::SessionRecord>(),
                _ => crate::answer::columns::<Row>(),
            };
            let mut records = Records::begin(&mut sheet, format, names)?;
            rows.iter().try_for_each(|row| records.push(row))?;
            records.end()?;
        }
    }
    sheet.finish()
}

fn text(answer: &Answer, width: Width) -> String {
    let mut parts =
        vec![format!("{} from {} to {}", answer.query.as_str(), clock::full(answer.after), clock::full(answer.before))];
    let of = answer.rows.iter().map(|row| (name(row), row)).chain([("all".to_owned(), &answer.total)]);
    let length = |seconds: Option<f64>| json!(seconds.map(clock::length));
    let share = |share: Option<f64>| json!(share.map(|share| format!("{:.1} %", share * 100.0)));
    parts.push(match answer.query {
        Query::Duration => {
            let rows: Vec<Vec<Value>> = of
                .map(|(name, row)| {
                    vec![
                        json!(name),
                        json!(row.ended),
                        length(row.mean_duration_seconds),
                        length(row.p50_duration_seconds),
                        length(row.p90_duration_seconds),
                        length(row.p99_duration_seconds),
                    ]
                })
                .collect();
            table(&["of", "ended", "mean", "half", "9 of 10", "99 of 100"], &rows, width)
        }
        _ => {
            let rows: Vec<Vec<Value>> = of
                .map(|(name, row)| {
                    vec![
                        json!(name),
                        json!(row.sessions),
                        json!(row.active),
                        length(row.mean_duration_seconds),
                        length(row.p50_duration_seconds),
                        length(row.p90_duration_seconds),
                        json!(row.commands),
                        json!(row.failed_commands),
                        share(row.error_rate),
                    ]
                })
                .collect();
            let names = ["of", "sessions", "active", "mean", "half", "9 of 10", "commands", "failed", "share"];
            table(&names, &rows, width)
        }
    });
    if !answer.most_common.is_empty() {
        let rows: Vec<Vec<Value>> = answer
            .most_common
            .iter()
            .map(|common| vec![json!(common.count), json!(common.component_name), json!(common.error)])
            .collect();
        parts.push(format!("Most common errors\n{}", table(&["times", "component", "error"], &rows, width)));
    }
    if !answer.open.is_empty() {
        let rows: Vec<Vec<Value>> = answer
            .open
            .iter()
            .map(|session| {
                let since = session.start_time.map(clock::full);
                vec![json!(session.session_id), json!(session.component_name), json!(session.username), json!(since)]
            })
            .collect();
        parts.push(format!("Open now\n{}", table(&["id", "component", "user", "since"], &rows, width)));
    }
    parts.join("\n\n")
}

fn name(row: &Row) -> String {
    row.component_name.clone().or_else(|| row.period.clone()).unwrap_or_default()
}
