//! The manager's admin shell: the component, its helpers, and how they reach the journal.

mod changes;
mod patterns;
mod sessions;

use std::sync::Arc;

use admin_shell::{
    Adapter, AdminShell, Cx, EndReason, HelperError, Helpers, Result,
    event::SessionId,
    journal::{self, Filter, Found, Journal, Page, SessionRecord},
    recorder::sweep,
};
use anyhow::Context;
use tokio::sync::OnceCell;

/// The component. Sessions of one process share its connections to the journal.
#[derive(Default)]
pub struct Manager {
    journal: OnceCell<Arc<dyn Journal>>,
}

impl AdminShell for Manager {
    const COMPONENT: &'static str = "manager";
    const VERSION: Option<&'static str> = Some(env!("CARGO_PKG_VERSION"));

    fn helpers(helpers: &mut Helpers<Self>) {
        sessions::register(helpers);
        patterns::register(helpers);
        changes::register(helpers);
    }

    async fn adapters(cx: &Cx<Self>) -> Vec<Adapter> {
        let state = match journal(cx).await {
            Ok(journal) => {
                journal.status().await.map(|now| format!("{} sessions, {} active", now.sessions, now.active))
            }
            Err(error) => return vec![Adapter::new("journal", format!("{error:#}"))],
        };
        vec![Adapter::new("journal", state.unwrap_or_else(|error| error.to_string()))]
    }

    async fn on_end(cx: &Cx<Self>, _reason: EndReason) -> Result<()> {
        if let Some(journal) = cx.journal.get() {
            journal.close().await;
        }
        Ok(())
    }
}

/// The journal that this session is recorded in.
async fn journal(cx: &Cx<Manager>) -> Result<&dyn Journal> {
    let open = async || journal::open(cx.session().journal().opening()).await;
    let journal = cx.journal.get_or_try_init(open).await.context("opening the journal")?;
    Ok(&**journal)
}

/// The same, after whoever has died was observed as crashed: what is shown then is the truth now. A journal that can not
/// be written is read as it is.
async fn present(cx: &Cx<Manager>) -> Result<&dyn Journal> {
    let journal = journal(cx).await?;
    if journal.read_only().is_none()
        && let Err(error) = sweep(journal, cx.session().journal().place(), cx.session().session_id.as_str()).await
    {
        cx.print(format!("warning: sessions that crashed may be shown as active: {error}"));
    }
    Ok(journal)
}

/// The session that an id, or the beginning of one, names.
async fn find(journal: &dyn Journal, id: &str) -> Result<SessionRecord> {
    match journal.find(&SessionId::prefix(id)).await? {
        Found::One(record) => Ok(*record),
        Found::Many(candidates) => {
            let list: Vec<String> = candidates.iter().map(ToString::to_string).collect();
            let message = format!("`{id}` names more than one session: {}", list.join(", "));
            Err(HelperError::new("ambiguous", message).hint("give more of the id").into())
        }
        Found::None => {
            let message = format!("no session has an id that begins with `{id}`");
            Err(HelperError::new("not_found", message).hint("ps() shows the latest, ps(1000) more of them").into())
        }
    }
}

/// Ids that complete what was typed, the newest first.
async fn ids(cx: &Cx<Manager>, typed: &str, filter: Filter) -> Result<Vec<String>> {
    const OFFERED: usize = 50;
    let wanted = SessionId::prefix(typed);
    let sessions = journal(cx).await?.sessions(&filter, &Page { limit: 1_000, after: None }).await?;
    let ids = sessions.records.into_iter().map(|record| String::from(record.session_id));
    Ok(ids.filter(|id| id.starts_with(&wanted)).take(OFFERED).collect())
}
