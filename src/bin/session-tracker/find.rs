//! From what somebody typed to the one session that it names.

use admin_shell::{
    event::{SessionId, StreamId},
    journal::{Found, Journal, PrunedSession, SessionRecord},
};

use crate::{clock, exit::Stop};

/// The session that an id or the beginning of one names.
pub(crate) async fn session(journal: &dyn Journal, typed: &str) -> Result<SessionRecord, Stop> {
    let prefix = SessionId::prefix(typed);
    if prefix.is_empty() {
        return Err(Stop::Usage("ID: must not be empty".to_owned()));
    }
    match journal.find(&prefix).await? {
        Found::One(record) => Ok(*record),
        Found::Many(candidates) => {
            // The journal names the first ten and does not count the rest.
            let more = if candidates.len() >= 10 { "\n  …" } else { "" };
            let list: Vec<String> = candidates.iter().map(|id| format!("\n  {id}")).collect();
            Err(Stop::failed(format!(
                "`{typed}` names more than one session, give more of the id:{}{more}",
                list.concat()
            )))
        }
        Found::None => Err(Stop::NotFound(match journal.find_pruned(&prefix).await? {
            Some(pruned) => gone(&pruned),
            None => format!(
                "no session has an id that begins with `{typed}`: `session-tracker list` shows those that there are"
            ),
        })),
    }
}

/// What is known of a session that was pruned.
fn gone(pruned: &PrunedSession) -> String {
    let mut said =
        format!("{} ({}) was pruned on {}", pruned.session_id, pruned.component_name, clock::full(pruned.at));
    if let Some(pruning) = &pruned.pruning {
        said.push_str(&format!(" by {}: {}", pruning.by, pruning.why));
    }
    said.push_str("; its events are gone from this journal, its counts stay in the totals");
    if pruned.pruning.as_ref().is_some_and(|pruning| pruning.archived) {
        said.push_str("; they were written to an archive, which --database reads");
    }
    said
}

/// The stream that an id names: a session's, or a journal's own, of which ours may be shortened too.
pub(crate) async fn stream(journal: &dyn Journal, typed: &str) -> Result<StreamId, Stop> {
    if !typed.starts_with("jrnl_") {
        return Ok(session(journal, typed).await?.session_id.into());
    }
    if journal.id().as_str().starts_with(typed) {
        return Ok(journal.id().clone().into());
    }
    typed.parse().map_err(|_| Stop::NotFound(format!("no journal's stream is named `{typed}`: give the whole id")))
}
