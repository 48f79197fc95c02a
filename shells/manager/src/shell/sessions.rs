//! Helpers that look at sessions, one by one or as a list.

use admin_shell::{
    Cx, Helpers, Result, Timespan,
    event::StreamId,
    journal::{CommandFilter, Filter, Page, SessionRecord},
};
use jiff::Timestamp;

use super::{Manager, find, ids, present};
use crate::row::{Command, Event, Session};

const GROUP: &str = "Sessions";
/// The most that one list can hold.
const MOST: u32 = 1_000;

pub(super) fn register(helpers: &mut Helpers<Manager>) {
    helpers
        .read("ps", "Sessions, newest first.")
        .param("limit", "At most so many, 1 to 1000.")
        .default(50)
        .param("component", "Only of this component.")
        .param("since", "Only those opened in this time until now, for example \"7d\".")
        .example("ps()")
        .example(r#"ps(#{component: "orchestrator", since: "7d"})"#)
        .group(GROUP)
        .run(ps);
    helpers.read("active", "Sessions that are open now, newest first.").example("active()").group(GROUP).run(active);
    helpers
        .read("show", "One session, everything that is known about it.")
        .param("id", "The session: its id, or the beginning of it.")
        .field("session_id")
        .values(|cx, typed| async move { ids(&cx, &typed, Filter::default()).await })
        .example("show(ps()[0])")
        .group(GROUP)
        .run(show);
    helpers
        .read("commands", "What was typed in one session, in order, and how it ended.")
        .param("id", "The session: its id, or the beginning of it.")
        .field("session_id")
        .values(|cx, typed| async move { ids(&cx, &typed, Filter::default()).await })
        .param("limit", "At most so many, the last ones, 1 to 1000.")
        .default(50)
        .example("commands(ps()[0])")
        .group(GROUP)
        .run(commands);
    helpers
        .read("events", "What is stored of one session, event by event.")
        .param("id", "The session: its id, or the beginning of it.")
        .field("session_id")
        .values(|cx, typed| async move { ids(&cx, &typed, Filter::default()).await })
        .param("from", "The place of the first one, from 0.")
        .default(0)
        .example("events(ps()[0])")
        .group(GROUP)
        .run(events);
}

async fn ps(cx: Cx<Manager>, limit: u32, component: Option<String>, since: Option<Timespan>) -> Result<Vec<Session>> {
    let after = match since {
        Some(Timespan(length)) => Some(Timestamp::now().checked_sub(length)?),
        None => None,
    };
    list(&cx, Filter { component, after, ..Filter::default() }, in_range(limit)?).await
}

async fn active(cx: Cx<Manager>) -> Result<Vec<Session>> {
    list(&cx, Filter { active: true, ..Filter::default() }, MOST).await
}

async fn list(cx: &Cx<Manager>, filter: Filter, limit: u32) -> Result<Vec<Session>> {
    let sessions = present(cx).await?.sessions(&filter, &Page { limit, after: None }).await?;
    if sessions.next.is_some() {
        cx.print(format!("There are more than these {limit}; ps(#{{limit: 1000}}) shows up to {MOST}."));
    }
    Ok(sessions.records.into_iter().map(Session::from).collect())
}

async fn show(cx: Cx<Manager>, id: String) -> Result<SessionRecord> {
    find(present(&cx).await?, &id).await
}

async fn commands(cx: Cx<Manager>, id: String, limit: u32) -> Result<Vec<Command>> {
    let limit = in_range(limit)?;
    let journal = present(&cx).await?;
    let session = Some(find(journal, &id).await?.session_id);
    let mut commands = journal.commands(&CommandFilter { session, limit, ..CommandFilter::default() }).await?;
    commands.reverse();
    Ok(commands.into_iter().map(Command::from).collect())
}

async fn events(cx: Cx<Manager>, id: String, from: u64) -> Result<Vec<Event>> {
    let journal = present(&cx).await?;
    let stream = StreamId::from(find(journal, &id).await?.session_id);
    let entries = journal.events(&stream, from, MOST).await?;
    if entries.len() == MOST as usize {
        cx.print(format!("There may be more: events(id, {}) goes on.", from + u64::from(MOST)));
    }
    Ok(entries.into_iter().map(Event::from).collect())
}

fn in_range(limit: u32) -> Result<u32> {
    anyhow::ensure!((1..=MOST).contains(&limit), "`limit` must be 1 to {MOST}, got {limit}");
    Ok(limit)
}
