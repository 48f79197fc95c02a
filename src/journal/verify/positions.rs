//! The first pass: every position, its link and the receipts that name it.

use std::collections::BTreeMap;

use super::{Check, Own, POSITIONS};
use crate::{
    event::Hash,
    journal::{
        Anchor, JournalError,
        cells::{Cells, hash, uuid},
        chain::link,
        shown::count,
        source::{Source, Statement},
    },
};

impl<S: Source> Check<'_, S> {
    /// The first pass: no hole, every link right, every receipt's link ours.
    pub(super) async fn positions(&mut self, own: &Own) -> Result<(), JournalError> {
        // Nothing where the link of the last position can not be read: nobody knows what the next is bound to.
        let (mut last, mut before) = (own.checkpoint, own.first_link);
        let mut anchored: BTreeMap<u64, Vec<Anchor>> = BTreeMap::new();
        for anchor in &self.report.anchors {
            anchored.entry(anchor.position).or_default().push(anchor.clone());
        }
        self.compare_anchors(&mut anchored, last, before);
        loop {
            let statement = Statement::new(
                "SELECT e.position, e.event_id, e.hash, e.link, s.name, e.seq, e.position, \
                 CASE WHEN e.type = 'observation' THEN e.text END, \
                 CASE WHEN e.type = 'observation' THEN e.residue END, e.time_us \
                 FROM events e LEFT JOIN streams s ON s.id = e.stream WHERE e.position > ? \
                 ORDER BY e.position LIMIT ?",
            );
            let rows = self.source.rows(statement.bind(last).bind(POSITIONS)).await?;
            for row in &rows {
                let position: i64 = row.cell(0)?;
                if position != last + 1 {
                    let message = match position - last {
                        2 => format!("the event at position {} is missing", last + 1),
                        _ => format!("the events at positions {} to {} are missing", last + 1, position - 1),
                    };
                    self.fault("missing", None, None, Some(last + 1), message);
                    before = None;
                }
                let bound = self.position(row, position, before);
                self.readable_at(position, bound)?;
                let stored = hash(row, 3).map(Some);
                (last, before) = (position, self.readable_at(position, stored)?);
                self.compare_anchors(&mut anchored, last, before);
            }
            if rows.is_empty() {
                break;
            }
        }
        for anchor in anchored.into_values().flatten().filter(|anchor| anchor.position > count(last)) {
            let message = format!(
                "{} holds this journal up to position {}, and it ends at {last}",
                anchor.tracker, anchor.position
            );
            self.fault("cut_tail", None, None, i64::try_from(anchor.position).ok(), message);
        }
        self.report.position = count(last);
        self.report.link = before.map(|link| link.to_string());
        Ok(())
    }

    /// One position of the first pass; `before` is the link of the one before it.
    fn position(&mut self, row: &S::Row, position: i64, before: Option<Hash>) -> Result<(), JournalError> {
        let (stream, seq): (Option<&str>, i64) = (row.cell(4)?, row.cell(5)?);
        if stream.is_none() {
            let message = format!("the event at position {position} belongs to a stream that is gone");
            self.fault("removed_session", None, None, Some(position), message);
        }
        self.hear(row, 6)?;
        if let Some(before) = before
            && link(&before, count(position), &uuid(row, 1)?, &hash(row, 2)?) != hash(row, 3)?
        {
            let message = format!("position {position} is not bound to the one before it");
            self.fault("link", stream, Some(seq), Some(position), message);
        }
        Ok(())
    }

    fn compare_anchors(&mut self, anchored: &mut BTreeMap<u64, Vec<Anchor>>, position: i64, link: Option<Hash>) {
        for anchor in anchored.remove(&count(position)).unwrap_or_default() {
            if link.is_some_and(|link| anchor.link != link.to_string()) {
                let message = format!(
                    "{} holds another history up to position {position}: the events until there were made anew",
                    anchor.tracker
                );
                self.fault("anchor", None, None, Some(position), message);
            }
        }
    }
}
