//! What runs wrote: pieces in order, bounded per run and stream.

use sqlx::Row;

use crate::{
    engine::{EngineError, error::Doing},
    process::{Stream, Taken},
    run::RunId,
};

use super::{Held, Store};

/// A stored piece of output.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) attempt: u32,
    pub(crate) stream: Stream,
    pub(crate) bytes: Vec<u8>,
}

impl Store {
    /// Adds what an attempt wrote, and drops the oldest pieces of a stream once the newer ones reach the limit.
    pub(crate) async fn append(&self, held: &Held, taken: &Taken, limit: usize) -> Result<(), EngineError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut change = self.write().await?;
        let [out, err] = taken.written.map(|written| i64::try_from(written).unwrap_or(i64::MAX));
        sqlx::query("UPDATE runs SET out_bytes = out_bytes + ?1, err_bytes = err_bytes + ?2 WHERE id = ?3")
            .bind(out)
            .bind(err)
            .bind(held.id.as_str())
            .execute(&mut *change)
            .await
            .doing("storing output")?;
        for segment in &taken.segments {
            sqlx::query(
                "INSERT INTO output (run, seq, attempt, stream, size, bytes)
                 SELECT ?1, coalesce(max(seq), 0) + 1, ?2, ?3, ?4, ?5 FROM output WHERE run = ?1",
            )
            .bind(held.id.as_str())
            .bind(held.attempt)
            .bind(number(segment.stream))
            .bind(i64::try_from(segment.bytes.len()).unwrap_or(i64::MAX))
            .bind(&segment.bytes)
            .execute(&mut *change)
            .await
            .doing("storing output")?;
        }
        sqlx::query(
            "DELETE FROM output WHERE run = ?1 AND seq IN (
                 SELECT seq FROM (SELECT seq, size, sum(size) OVER (PARTITION BY stream ORDER BY seq DESC) AS since FROM output WHERE run = ?1)
                 WHERE since - size >= ?2)",
        )
        .bind(held.id.as_str())
        .bind(limit)
        .execute(&mut *change)
        .await
        .doing("dropping old output")?;
        change.commit().await.doing("storing output")
    }

    /// What a run wrote, as far as it is kept, and how many bytes it wrote to each stream in all.
    pub(crate) async fn output(&self, id: &RunId) -> Result<(Vec<Piece>, [u64; 2]), EngineError> {
        const READING: &str = "reading output";
        let mut reading = self.pool().begin().await.doing(READING)?;
        let totals = sqlx::query("SELECT out_bytes, err_bytes FROM runs WHERE id = ?1")
            .bind(id.as_str())
            .fetch_one(&mut *reading)
            .await
            .doing(READING)?;
        let total = |column| totals.try_get::<i64, _>(column).map(i64::cast_unsigned).doing(READING);
        let rows = sqlx::query("SELECT attempt, stream, bytes FROM output WHERE run = ?1 ORDER BY seq")
            .bind(id.as_str())
            .fetch_all(&mut *reading)
            .await
            .doing(READING)?;
        let pieces = rows.iter().map(|row| {
            let stream = if row.try_get::<i64, _>("stream").doing(READING)? == number(Stream::Out) {
                Stream::Out
            } else {
                Stream::Err
            };
            Ok(Piece {
                attempt: row.try_get("attempt").doing(READING)?,
                stream,
                bytes: row.try_get("bytes").doing(READING)?,
            })
        });
        Ok((pieces.collect::<Result<_, EngineError>>()?, [total("out_bytes")?, total("err_bytes")?]))
    }
}

fn number(stream: Stream) -> i64 {
    match stream {
        Stream::Out => 1,
        Stream::Err => 2,
    }
}
