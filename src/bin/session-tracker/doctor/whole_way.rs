//! The whole way of an event, with a session that stays: recorded in the journal by a shell of its own, delivered through
//! every sink, and found again where that can be asked.

use std::sync::Arc;

use admin_shell::{
    Actor, AdminShell, EndReason, Helpers, Shell,
    delivery::{Plan, deliver_now, locks_of},
    event::SessionId,
    journal::Found,
};
use anyhow::{Context, ensure};

use super::{State, Step, reach::root_of, sentence};
use crate::{cli::Source, journal::sinks::Wanted, remote::Remote};

/// What is recorded as the component.
const COMPONENT: &str = "doctor";

struct Doctor;

impl AdminShell for Doctor {
    const COMPONENT: &'static str = COMPONENT;

    fn helpers(_: &mut Helpers<Self>) {}
}

/// Goes the whole way, and says how far it came.
pub(super) async fn go(source: &Source, steps: &mut Vec<Step>) {
    let session = match record(source).await {
        Ok(session) => session,
        Err(error) => return steps.push(Step::new("recording", State::Bad, format!("{error:#}"))),
    };
    let said = format!("{session} of component {COMPONENT} was recorded, found and verified; it stays in the record");
    steps.push(Step::new("recording", State::Good, said));
    let names = match Wanted::default().open(source) {
        Ok(sinks) => sinks.iter().map(|sink| sink.name().to_owned()).collect(),
        Err(stop) => vec![sentence(&stop)],
    };
    for (at, name) in names.iter().enumerate() {
        let (state, said) = match deliver(source, at, &session).await {
            Ok(found) => (State::Good, format!("{name} took {session}{found}")),
            Err(error) => (State::Bad, format!("{name}: {error:#}")),
        };
        steps.push(Step::new("delivery", state, said));
    }
}

/// Records a session as any shell does.
async fn record(source: &Source) -> anyhow::Result<SessionId> {
    let database = source.database().map_err(|stop| anyhow::anyhow!(sentence(&stop)))?;
    let session = Shell::new(Doctor).database(database.opening()).open(Actor::current()).await?;
    let id = session.id().clone();
    session.close(EndReason::Done).await.context("ending the session")?;
    let place = source.open().await.map_err(|stop| anyhow::anyhow!(sentence(&stop)))?;
    let found = place.journal.find(id.as_str()).await?;
    ensure!(matches!(found, Found::One(record) if record.end_reason == Some(EndReason::Done)), "{id} is not found");
    let report = place.journal.verify(Some(&id)).await?;
    ensure!(report.faults.is_empty(), "{id} does not verify");
    Ok(id)
}

/// Delivers through one sink what the shell has not delivered by itself, and looks for it on the other side.
async fn deliver(source: &Source, at: usize, session: &SessionId) -> anyhow::Result<&'static str> {
    let stopped = |stop| anyhow::anyhow!(sentence(&stop));
    let place = source.open().await.map_err(stopped)?;
    let sink = Wanted::default().open(source).map_err(stopped)?.into_iter().nth(at).context("it is gone")?;
    let name = sink.name().to_owned();
    if sink.takes() == admin_shell::delivery::Takes::ItsSession {
        return Ok(", or would have, in a shell");
    }
    let plan = Plan {
        journal: Arc::clone(&place.journal),
        components: vec![COMPONENT.to_owned()],
        locks: locks_of(place.database.place()),
        session: None,
    };
    let round = deliver_now(&plan, sink).await?;
    if let Some(why) = round.failed {
        anyhow::bail!("{why}; a token for one component can not deliver those of {COMPONENT}");
    }
    let buried = place.journal.buried(Some(&name)).await?;
    if let Some(refused) = buried.iter().find(|one| one.session_id.as_str() == session.as_str()) {
        anyhow::bail!("it refused seq {} of {session}: {}", refused.seq, refused.reason);
    }
    let Some(remote) = root_of(&name).and_then(|root| Remote::new(root).ok()) else { return Ok("") };
    match remote.session(session.as_str()).await {
        Ok(record) if record.end_reason == Some(EndReason::Done) => Ok(", and shows it"),
        Ok(_) => anyhow::bail!("{session} arrived in part"),
        Err(_) => Ok("; whether it shows it could not be asked with this token"),
    }
}
