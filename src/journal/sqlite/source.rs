//! What is asked of every kind of journal, answered by SQLite. Its planner is told which index to walk and in which order
//! to join: it has no statistics that it could guess from.

use sqlx::sqlite::SqliteRow;

use super::{SqliteJournal, script::Script, text};
use crate::journal::{
    JournalError,
    source::{Source, Statement, Value, WithText},
};

impl Source for &SqliteJournal {
    type Row = SqliteRow;

    const JOIN_IN_ORDER: &'static str = "CROSS JOIN";

    fn by_index(index: &str) -> String {
        format!("INDEXED BY {index}")
    }

    async fn rows(&mut self, statement: Statement) -> Result<Vec<SqliteRow>, JournalError> {
        SqliteJournal::rows(self, statement.into()).await
    }

    async fn find_text(&mut self, text: &str, few: i64) -> Result<WithText, JournalError> {
        text::find(self, text, few).await
    }
}

impl From<Statement> for Script {
    fn from(statement: Statement) -> Self {
        let mut script = Self::default();
        script.add(&statement.sql);
        for value in &statement.values {
            match value {
                Value::Text(text) => script.bind(text.as_str()),
                Value::Number(number) => script.bind(*number),
                Value::Bytes(bytes) => script.bind(bytes.as_slice()),
            };
        }
        script
    }
}

impl SqliteJournal {
    /// Runs one statement on a connection for reading.
    pub(super) async fn rows(&self, script: Script) -> Result<Vec<SqliteRow>, JournalError> {
        let mut reader = self.reader().await?;
        let answers = script.run(reader.connection()).await.map_err(|stopped| self.translate(&stopped.error))?;
        Ok(answers.into_iter().flatten().collect())
    }
}
