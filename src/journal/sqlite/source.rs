//! What is asked of every kind of journal, answered by SQLite. Its planner is told which index to walk and in which order
//! to join: it has no statistics that it could guess from.

use std::path::Path;

use sqlx::{Connection, SqliteConnection, sqlite::SqliteRow};

use super::{Readers, SqliteJournal, error::translate, script::Script, site::Site, text, text_check};
use crate::{
    event::SessionId,
    journal::{
        Difference, JournalError, Report,
        source::{Notes, Search, Source, Statement, Value, WithText},
        verify::{self, Verified},
    },
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
}

impl Search for &SqliteJournal {
    async fn find_text(&mut self, text: &str, few: i64) -> Result<WithText, JournalError> {
        text::find(self, text, few).await
    }
}

impl Notes for &SqliteJournal {
    async fn note(&mut self, statements: Vec<Statement>) -> Result<Vec<Vec<SqliteRow>>, JournalError> {
        let mut script = Script::default();
        statements.iter().for_each(|statement| add(&mut script, statement));
        SqliteJournal::note(self, script).await
    }
}

/// One connection, inside the transaction that it is in.
pub(super) struct On<'c> {
    pub connection: &'c mut SqliteConnection,
    pub path: &'c Path,
    /// It is one for reading, which must not be left able to write.
    pub only_read: bool,
}

impl Source for On<'_> {
    type Row = SqliteRow;

    const JOIN_IN_ORDER: &'static str = "CROSS JOIN";

    fn by_index(index: &str) -> String {
        <&SqliteJournal as Source>::by_index(index)
    }

    async fn rows(&mut self, statement: Statement) -> Result<Vec<SqliteRow>, JournalError> {
        let answers = Script::from(statement).run(self.connection).await;
        Ok(answers.map_err(|stopped| translate(&stopped.error, self.path))?.into_iter().flatten().collect())
    }

    async fn text_differences(&mut self) -> Result<Vec<Difference>, JournalError> {
        text_check::differences(self.connection, self.only_read).await
    }
}

impl From<Statement> for Script {
    fn from(statement: Statement) -> Self {
        let mut script = Self::default();
        add(&mut script, &statement);
        script
    }
}

fn add(script: &mut Script, statement: &Statement) {
    script.add(&statement.sql);
    for value in &statement.values {
        match value {
            Value::Text(text) => script.bind(text.as_str()),
            Value::Number(number) => script.bind(*number),
            Value::Bytes(bytes) => script.bind(bytes.as_slice()),
        };
    }
}

impl SqliteJournal {
    /// Verifies one snapshot, which ends with this function, also when the caller goes away.
    pub(super) async fn check(&self, only: Option<&SessionId>) -> Result<Report, JournalError> {
        let mut reader = self.reader().await?;
        let mut snapshot = reader.connection().begin().await.map_err(|error| self.translate(&error))?;
        let only_read = matches!(self.0.readers, Readers::Pool(_));
        let mut on = On { connection: &mut snapshot, path: Path::new(&self.0.name), only_read };
        let verified = Verified { id: &self.0.id, is_archive: self.0.is_archive };
        let mut report = verify::verify(&mut on, verified, only).await?;
        report.warnings.extend(self.0.site.as_ref().and_then(Site::open_to_others));
        Ok(report)
    }

    /// Runs one statement on a connection for reading.
    pub(super) async fn rows(&self, script: Script) -> Result<Vec<SqliteRow>, JournalError> {
        let mut reader = self.reader().await?;
        let answers = script.run(reader.connection()).await.map_err(|stopped| self.translate(&stopped.error))?;
        Ok(answers.into_iter().flatten().collect())
    }
}
