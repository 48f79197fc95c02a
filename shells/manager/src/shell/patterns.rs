//! Helpers that look at all sessions together. The statistics are admin-shell's own: the tracker uses the same.

use admin_shell::{
    Cx, Helpers, Result, Timespan,
    analytics::{self, Insight, Quality, Recent},
    journal::Filter,
};
use jiff::{Timestamp, tz::TimeZone};

use super::{Manager, present};

const GROUP: &str = "Patterns";

pub(super) fn register(helpers: &mut Helpers<Manager>) {
    helpers
        .read(
            "quality",
            "How well work goes in each component: sessions, crashes, commands that failed, the mean score.",
        )
        .param("since", "Only sessions opened in this time until now, for example \"7d\".")
        .example("quality()")
        .example(r#"quality("7d")"#)
        .group(GROUP)
        .run(quality);
    helpers
        .read("insights", "What stands out: crashes, commands that keep failing, very long sessions, unusual hours.")
        .param("limit", "At most so many, the gravest first.")
        .default(10)
        .param("since", "Only sessions opened in this time until now, for example \"30d\".")
        .example("insights()")
        .example(r#"insights(#{since: "30d"})"#)
        .group(GROUP)
        .run(insights);
}

async fn quality(cx: Cx<Manager>, since: Option<Timespan>) -> Result<Vec<Quality>> {
    Ok(analytics::quality(&recent(&cx, since).await?.sessions))
}

async fn insights(cx: Cx<Manager>, limit: usize, since: Option<Timespan>) -> Result<Vec<Insight>> {
    let mut found = analytics::insights(&recent(&cx, since).await?, &TimeZone::system());
    found.truncate(limit);
    Ok(found)
}

async fn recent(cx: &Cx<Manager>, since: Option<Timespan>) -> Result<Recent> {
    let after = match since {
        Some(Timespan(length)) => Some(Timestamp::now().checked_sub(length)?),
        None => None,
    };
    let filter = Filter { after, ..Filter::default() };
    Ok(Recent::read(present(cx).await?, &filter).await?)
}
