//! Archives: what pruning removes, as JSON lines.
//!
//! A line is the canonical text of an event, verbatim. The events of a session stand together in the order of `seq`;
//! after the sessions come the observations about them. A file that is there already is added to, so that one archive
//! can take every month; the same event twice is no harm.

use std::{
    collections::HashSet,
    fs::{File, OpenOptions},
    io::{BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use super::{
    JournalError,
    cells::Cells,
    retention::Candidate,
    source::{Source, Statement},
};

/// Writes sessions to an archive and syncs it.
pub(super) async fn write<S: Source>(
    source: &mut S,
    path: &Path,
    candidates: &[Candidate],
) -> Result<(), JournalError> {
    let failed = |error: std::io::Error| JournalError::Unusable {
        path: path.to_owned(),
        because: format!("the archive could not be written, and nothing was removed: {error}"),
    };
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(failed)?;
    let mut archive = BufWriter::new(&file);
    for candidate in candidates {
        let texts = Statement::new("SELECT text FROM events WHERE stream = ? AND text IS NOT NULL ORDER BY seq");
        for row in source.rows(texts.bind(candidate.stream)).await? {
            writeln!(archive, "{}", row.cell::<&str>(0)?).map_err(failed)?;
        }
    }
    let names: HashSet<&str> = candidates.iter().map(|candidate| candidate.name.as_str()).collect();
    for name in names {
        let about = Statement::new(
            "SELECT e.text FROM observations o JOIN events e ON e.position = o.position \
             WHERE o.about = ? AND e.text IS NOT NULL ORDER BY o.position",
        );
        for row in source.rows(about.bind(name)).await? {
            writeln!(archive, "{}", row.cell::<&str>(0)?).map_err(failed)?;
        }
    }
    archive.flush().map_err(failed)?;
    drop(archive);
    file.sync_all().map_err(failed)?;
    // The name is only safe once its directory is.
    if let Some(directory) = path.parent() {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
    }
    Ok(())
}

/// Whether a path names an archive.
pub(super) fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "jsonl" || extension == "ndjson")
}
