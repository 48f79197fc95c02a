//! Ending sessions from outside.

use admin_shell::{
    Approved, Cx, HelperError, Helpers, Result,
    journal::{Filter, SessionStatus},
    recorder::{Ended, end_session},
};
use serde::Serialize;

use super::{Manager, find, ids, present};

pub(super) fn register(helpers: &mut Helpers<Manager>) {
    helpers
        .destroy("end", "Ends a session: asks its shell to end it when it lives, records its end when it is dead.")
        .param("id", "The session: its id, or the beginning of it.")
        .field("session_id")
        .values(|cx, typed| async move { ids(&cx, &typed, Filter { active: true, ..Filter::default() }).await })
        .example("end(active()[0])")
        .group("Changes")
        .preview(preview)
        .run(end);
}

/// What became of it.
#[derive(Debug, Serialize)]
struct Outcome {
    session_id: String,
    outcome: &'static str,
}

async fn preview(cx: Cx<Manager>, id: String) -> Result<String> {
    let session = find(present(&cx).await?, &id).await?;
    if session.status == SessionStatus::Ended {
        // Nobody has to confirm what changes nothing.
        let message =
            format!("session {} is {} already: there is nothing to end", session.session_id, session.status.as_str());
        let hint = format!("show(\"{}\") says how it ended", session.session_id);
        return Err(HelperError::new("wrong_state", message).hint(hint).into());
    }
    let by = session.username.as_deref().unwrap_or("somebody");
    let host = session.hostname.as_deref().unwrap_or("an unknown machine");
    let own = if session.session_id == cx.session().session_id { ", this very one" } else { "" };
    let commands = if session.commands == 1 { "command" } else { "commands" };
    Ok(format!(
        "{} session {} by {by} on {host}{own}: {}, {} {commands}",
        session.component_name,
        session.session_id,
        session.status.as_str(),
        session.commands
    ))
}

async fn end(cx: Cx<Manager>, approved: Approved, id: String) -> Result<Outcome> {
    let journal = present(&cx).await?;
    let session = find(journal, &id).await?;
    let database = cx.session().journal().place();
    let by = &approved.by().user.username;
    let outcome = match end_session(journal, database, &session, by, approved.reason()).await? {
        Ended::Recorded => "it was dead, its end is recorded",
        Ended::Requested => "its shell was asked to end it",
        Ended::Already => "it had ended before, nothing changed",
    };
    Ok(Outcome { session_id: session.session_id.into(), outcome })
}
