//! The journal that a command works on: found through flags, environment and configuration, opened, and brought up to
//! the present.

use std::sync::Arc;

use admin_shell::{
    Actor,
    config::{Config, Database, Overrides},
    journal::{Journal, open_existing},
    recorder::sweep,
};

use crate::{
    cli::Source,
    exit::{Stop, say},
};

/// An open journal and where it lies.
pub(crate) struct Place {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) database: Database,
}

impl Source {
    /// Where the journal is.
    pub(crate) fn database(&self) -> Result<Database, Stop> {
        let flags = Overrides { database: self.database.clone(), ..Overrides::default() };
        let database = Config::load(&flags).and_then(|config| config.database());
        database.map_err(|error| Stop::Usage(format!("{error:#}")))
    }

    /// Opens the journal as it is: `None` when there is none, and none is made.
    pub(crate) async fn open_as_it_is(&self) -> Result<Option<Place>, Stop> {
        let database = self.database()?;
        let journal = open_existing(database.opening()).await?;
        Ok(journal.map(|journal| Place { journal, database }))
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
        let missing = self.database()?;
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
        if let Err(error) = sweep(&*self.journal, self.database.place(), &observer).await {
            say(&format!("warning: sessions that crashed may be shown as active: {error}"));
        }
    }
}

/// Who is at work here, for observations.
pub(crate) fn me() -> String {
    Actor::current().user.username
}

pub(crate) fn no_journal(missing: &Database) -> Stop {
    Stop::NotFound(format!(
        "there is no journal at {missing} yet: open a shell first, or name another one with --database"
    ))
}
