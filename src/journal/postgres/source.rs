//! What is asked of every kind of journal, answered by Postgres. Its planner knows by its statistics which index to walk.
//!
//! A reader whose connection was cut, by a restart of the server or by an operator, asks again on another one: reading
//! twice does no harm.

use sqlx::{
    Arguments, AssertSqlSafe, PgConnection,
    postgres::{PgArguments, PgRow},
};

use super::{PostgresJournal, text};
use crate::journal::{
    JournalError,
    source::{Search, Source, Statement, Value, WithText},
};

impl Source for &PostgresJournal {
    type Row = PgRow;

    const JOIN_IN_ORDER: &'static str = "JOIN";

    fn by_index(_: &str) -> String {
        String::new()
    }

    async fn rows(&mut self, statement: Statement) -> Result<Vec<PgRow>, JournalError> {
        let (journal, statement) = (&self.0, &statement);
        self.insist(move || async move {
            let mut connection = journal.readers.acquire().await?;
            run(&mut connection, statement).await
        })
        .await
    }
}

impl Search for &PostgresJournal {
    async fn find_text(&mut self, text: &str, few: i64) -> Result<WithText, JournalError> {
        text::find(self, text, few).await
    }
}

/// Runs a statement on a connection.
pub(super) async fn run(connection: &mut PgConnection, statement: &Statement) -> Result<Vec<PgRow>, sqlx::Error> {
    let mut arguments = PgArguments::default();
    for value in &statement.values {
        let added = match value {
            Value::Text(text) => arguments.add(without_nul(text)),
            Value::Number(number) => arguments.add(*number),
            Value::Bytes(bytes) => arguments.add(bytes.as_slice()),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    sqlx::query_with(AssertSqlSafe(numbered(&statement.sql)), arguments).fetch_all(connection).await
}

/// Runs statements one after the other.
pub(super) async fn run_all(
    connection: &mut PgConnection,
    statements: &[Statement],
) -> Result<Vec<Vec<PgRow>>, sqlx::Error> {
    let mut answers = Vec::with_capacity(statements.len());
    for statement in statements {
        answers.push(run(connection, statement).await?);
    }
    Ok(answers)
}

/// A text as the projection holds it: NUL, which Postgres can not store, is its symbol there.
pub(super) fn without_nul(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{2400}").into() } else { text.into() }
}

/// Question marks as Postgres wants them: `$1`, `$2` …
fn numbered(sql: &str) -> String {
    let mut numbered = String::with_capacity(sql.len() + 16);
    let mut count = 0;
    for (at, part) in sql.split('?').enumerate() {
        if at > 0 {
            count += 1;
            numbered.push_str(&format!("${count}"));
        }
        numbered.push_str(part);
    }
    numbered
}
