//! What the second pass can not see from a stream: rows that belong to none, observations, sums, the text index, and what
//! was kept aside.

use std::collections::BTreeMap;

use super::{Check, POSITIONS};
use crate::{
    event::{Event, SessionId},
    journal::{
        Difference, JournalError,
        cells::{Cells, hash, uuid},
        differences::{self, Observations},
        projection::Totals,
        prunings, rollups,
        source::{Source, Statement},
    },
};

impl<S: Source> Check<'_, S> {
    /// Everything of the projection that is not one stream's.
    pub(super) async fn projection(&mut self, sums: &BTreeMap<(i64, String), Totals>) -> Result<(), JournalError> {
        let nobodys = differences::of_nobody(self.source).await;
        let nobodys = self.readable(nobodys)?;
        self.differ(nobodys);
        let looked = self.observations().await;
        self.readable(looked)?;
        let different = rollups::kept(self.source).await.map(|kept| differences::of_sums(sums, &kept));
        let different = self.readable(different)?;
        self.differ(different);
        let looked = self.bases().await;
        self.readable(looked)?;
        let found = self.source.text_differences().await;
        let found = self.readable(found)?;
        self.differ(found);
        Ok(())
    }

    /// Says what differs, each as a fault.
    pub(super) fn differ(&mut self, differences: Vec<Difference>) {
        for difference in differences {
            let Difference { table, key, stream, position } = difference;
            let message = match table.as_str() {
                "rollups" => format!("the sums of {key} are not those of its sessions"),
                "command_text" => format!("the text index does not hold the command that was recorded: {key}"),
                "streams" => format!("the counters of {key} in the table `streams` are not what its events give"),
                "commands" | "observations" => format!("the table `{table}` differs from the events at {key}"),
                _ => format!("the row of {key} in the table `{table}` is not what its events give"),
            };
            let position = position.and_then(|position| i64::try_from(position).ok());
            self.fault("projection", stream.as_deref(), None, position, message);
        }
    }

    async fn observations(&mut self) -> Result<(), JournalError> {
        let mut given = Observations::new();
        for (about, said) in &self.said {
            given.extend(said.iter().map(|said| (said.position, (about.clone(), said.what.clone(), said.time_us))));
        }
        let rows = Statement::new("SELECT position, about, what, time_us FROM observations ORDER BY position");
        let stored = differences::observations(&self.source.rows(rows).await?)?;
        self.differ(differences::of_observations(&given, &stored));
        Ok(())
    }

    /// What was pruned, and that no more sessions are marked so than were.
    pub(super) async fn prunings(&mut self) -> Result<(), JournalError> {
        let said = prunings::of(self.source, self.journal.id).await?;
        let marked = self.number("SELECT count(*) FROM streams WHERE pruned <> 0").await?;
        let all = i64::try_from(said.sessions).unwrap_or(i64::MAX);
        if marked > all {
            let message = format!("{marked} sessions are marked as pruned, and the record has the pruning of {all}");
            self.fault("erased", None, None, None, message);
        }
        self.report.prunings = said.known.into_values().collect();
        Ok(())
    }

    /// The sums that pruned sessions have left stand for as many sessions as were pruned.
    async fn bases(&mut self) -> Result<(), JournalError> {
        let pruned = self.number("SELECT count(*) FROM streams WHERE pruned <> 0 AND name >= 'sess_'").await?;
        let base = rollups::base(self.source).await?;
        let summed: i64 = base.values().map(|totals| totals.sessions).sum();
        if summed != pruned {
            let message =
                format!("the table `rollups_base` has the sums of {summed} pruned sessions, and {pruned} were pruned");
            self.fault("projection", None, None, None, message);
        }
        Ok(())
    }

    /// Events that were kept aside, all or those of one session: each is what its row says.
    pub(super) async fn conflicts(&mut self, only: Option<&SessionId>) -> Result<(), JournalError> {
        let mut last: Vec<u8> = Vec::new();
        loop {
            let statement = Statement::new(
                "SELECT hash, event_id, stream, seq, text FROM conflicts WHERE hash > ? AND (? = '' OR stream = ?) \
                 ORDER BY hash LIMIT ?",
            );
            let name = only.map_or("", SessionId::as_str);
            let statement = statement.bind(last.as_slice()).bind(name).bind(name).bind(POSITIONS);
            let rows = self.source.rows(statement).await?;
            for row in &rows {
                last = row.cell::<&[u8]>(0)?.to_vec();
                let looked = self.conflict(row);
                self.readable(looked)?;
            }
            if rows.is_empty() {
                return Ok(());
            }
        }
    }

    fn conflict(&mut self, row: &S::Row) -> Result<(), JournalError> {
        let (stream, seq): (&str, i64) = (row.cell(2)?, row.cell(3)?);
        let why = match Event::parse(row.cell(4)?) {
            Err(error) => error.to_string(),
            Ok(event)
                if event.hash() == hash(row, 0)?
                    && event.event_id() == uuid(row, 1)?
                    && event.stream().as_str() == stream
                    && i64::try_from(event.seq()) == Ok(seq) =>
            {
                return Ok(());
            }
            Ok(_) => "its text and its row differ".to_owned(),
        };
        let message = format!("what was kept aside for seq {seq} of {stream} was edited: {why}");
        self.fault("conflict", Some(stream), Some(seq), None, message);
        Ok(())
    }
}
