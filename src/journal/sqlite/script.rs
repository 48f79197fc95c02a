//! Several statements in one trip to the database's thread.
//!
//! sqlx runs SQLite on a thread of its own, and a trip there and back costs more than most statements. A transaction of
//! one command is therefore two trips: `BEGIN` and what must be read, then what is written and `COMMIT`. The text is the
//! key of the statement cache, so scripts of the same shape are prepared once.

use futures_util::TryStreamExt;
use sqlx::{Arguments, Encode, Executor, Type};
use sqlx::{
    AssertSqlSafe, Either, Sqlite, SqliteConnection,
    sqlite::{SqliteArguments, SqliteRow},
};

/// Statements and their arguments, in order.
#[derive(Default)]
pub(super) struct Script {
    sql: String,
    arguments: SqliteArguments,
    statements: usize,
}

/// A script that stopped: how many of its statements were done, and why the next one was not.
pub(super) struct Stopped {
    pub done: usize,
    pub error: sqlx::Error,
}

impl Script {
    /// Adds a statement; its arguments follow with [`bind`](Self::bind).
    pub(super) fn add(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self.sql.push(';');
        self.statements += 1;
        self
    }

    /// Adds the next argument, in the order of the question marks.
    pub(super) fn bind<'t>(&mut self, value: impl Encode<'t, Sqlite> + Type<Sqlite>) -> &mut Self {
        self.arguments.add(value).expect("numbers, text and bytes can be encoded");
        self
    }

    /// How many statements it has.
    pub(super) fn len(&self) -> usize {
        self.statements
    }

    /// Runs it, and answers the rows of each statement.
    pub(super) async fn run(self, connection: &mut SqliteConnection) -> Result<Vec<Vec<SqliteRow>>, Stopped> {
        let mut answers = Vec::with_capacity(self.statements);
        let mut rows = Vec::new();
        // Long scripts are of many shapes: keeping them would push the short ones out of the cache.
        let keep = self.statements <= 12;
        let query = sqlx::query_with(AssertSqlSafe(self.sql), self.arguments).persistent(keep);
        let mut steps = connection.fetch_many(query);
        loop {
            match steps.try_next().await {
                Ok(Some(Either::Right(row))) => rows.push(row),
                Ok(Some(Either::Left(_))) => answers.push(std::mem::take(&mut rows)),
                Ok(None) => return Ok(answers),
                Err(error) => return Err(Stopped { done: answers.len(), error }),
            }
        }
    }
}

/// How much goes into one script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Everything: one trip.
    One,
    /// One statement or a few that always stand together: many trips, and every script is found in the cache.
    Many,
}

impl Shape {
    /// Begins another script where the shape asks for it.
    pub(super) fn begin(self, scripts: &mut Vec<Script>) {
        if self == Self::Many && scripts.last().is_none_or(|script| script.len() > 0) {
            scripts.push(Script::default());
        }
    }

    /// The script to add to.
    pub(super) fn last(self, scripts: &mut Vec<Script>) -> &mut Script {
        if scripts.is_empty() {
            scripts.push(Script::default());
        }
        scripts.last_mut().expect("there is one now")
    }
}
