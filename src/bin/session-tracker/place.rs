//! The journal that a command works on: found through flags, environment and configuration, opened, and brought up to
//! the present.

use std::path::PathBuf;

use admin_shell::{
    Actor,
    config::{Config, Overrides},
    journal::SqliteJournal,
    recorder::sweep,
};

use crate::{
    cli::Source,
    exit::{Stop, say},
};

/// An open journal and where it lies.
pub(crate) struct Place {
    pub(crate) journal: SqliteJournal,
    pub(crate) path: PathBuf,
}

impl Source {
    /// The path of the journal.
    pub(crate) fn path(&self) -> Result<PathBuf, Stop> {
        let flags = Overrides { database: self.database.clone(), ..Overrides::default() };
        let path = Config::load(&flags).and_then(|config| config.database_path());
        path.map_err(|error| Stop::Usage(format!("{error:#}")))
    }

    /// Opens the journal as it is: `None` when there is none, and none is made.
    pub(crate) async fn open_as_it_is(&self) -> Result<Option<Place>, Stop> {
        let path = self.path()?;
        let name = path.to_str().ok_or_else(|| Stop::Usage(format!("database: {} is not UTF-8", path.display())))?;
        let journal = SqliteJournal::open_existing(name).await?;
        Ok(journal.map(|journal| Place { journal, path }))
    }

    /// Opens the journal and observes who has died, so that a status that is shown is the truth now.
    pub(crate) async fn open_if_there(&self) -> Result<Option<Place>, Stop> {
        let place = self.open_as_it_is().await?;
        if let Some(place) = &place {
            place.sweep().await;
        }
        Ok(place)
    }

    /// The same where there is nothing to say without a journal.
    pub(crate) async fn open(&self) -> Result<Place, Stop> {
        let missing = self.path()?;
        self.open_if_there().await?.ok_or_else(|| no_journal(&missing))
    }
}

impl Place {
    /// Observes as crashed whoever has died. A journal that can not be written is read as it is.
    pub(crate) async fn sweep(&self) {
        if self.journal.read_only().is_some() {
            return;
        }
        let observer = format!("session-tracker ({})", me());
        if let Err(error) = sweep(&self.journal, &self.path, &observer).await {
            say(&format!("warning: sessions that crashed may be shown as active: {error}"));
        }
    }
}

/// Who is at work here, for observations.
pub(crate) fn me() -> String {
    Actor::current().user.username
}

pub(crate) fn no_journal(path: &std::path::Path) -> Stop {
    Stop::NotFound(format!(
        "there is no journal at {} yet: open a shell first, or name another one with --database",
        path.display()
    ))
}
