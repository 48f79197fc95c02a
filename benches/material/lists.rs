//! What is asked of a journal with a million sessions, whatever holds it.

use std::time::{Duration, Instant};

use admin_shell::journal::{Filter, Journal, Page, SessionStatus};
use jiff::Timestamp;

/// Every filter by its name, with the milliseconds that a page may take.
pub(crate) fn filters() -> Vec<(String, Filter, f64)> {
    let none = Filter::default;
    let text = |text: &str| Some(text.to_owned());
    let at = |second: i64| Timestamp::from_second(1_700_000_000 + second).ok();
    let hours = |hours: u64| Some(Duration::from_secs(hours * 3_600));
    let lists = [
        ("no filter", none()),
        ("component, common", Filter { component: text("component-1"), ..none() }),
        ("component, rare", Filter { component: text("rare"), ..none() }),
        ("user, common", Filter { user: text("user-1"), ..none() }),
        ("user, rare", Filter { user: text("user-999"), ..none() }),
        ("host", Filter { host: text("host-7"), ..none() }),
        ("type", Filter { component_type: text("type-3"), ..none() }),
        ("status ended", Filter { status: Some(SessionStatus::Ended), ..none() }),
        ("status crashed", Filter { status: Some(SessionStatus::Crashed), ..none() }),
        ("status active", Filter { status: Some(SessionStatus::Active), ..none() }),
        ("status lost", Filter { status: Some(SessionStatus::Lost), ..none() }),
        ("after and before", Filter { after: at(10_000_000), before: at(10_100_000), ..none() }),
        ("longer than an hour", Filter { longer_than: hours(1), ..none() }),
        ("longer than a week", Filter { longer_than: hours(168), ..none() }),
        ("shorter than a second", Filter { shorter_than: Some(Duration::from_millis(500)), ..none() }),
        ("active", Filter { active: true, ..none() }),
        ("incomplete", Filter { incomplete: true, ..none() }),
        ("component and user", Filter { component: text("component-1"), user: text("user-2"), ..none() }),
        ("user and crashed", Filter { user: text("user-5"), status: Some(SessionStatus::Crashed), ..none() }),
    ];
    let texts = ["run_123456", "show(", "nothing like it", "zz"];
    let lists = lists.map(|(name, filter)| (format!("list, {name}"), filter, 10.0));
    let texts = texts.map(|words| (format!("text `{words}`"), Filter { text: text(words), ..none() }, 100.0));
    lists.into_iter().chain(texts).collect()
}

/// How long pages take: a first one and two that follow it, again and again.
pub(crate) async fn pages(journal: &dyn Journal, filter: &Filter) -> Vec<Duration> {
    let mut times = Vec::new();
    for _ in 0..20 {
        let mut page = Page::default();
        for _ in 0..3 {
            let begun = Instant::now();
            let sessions = journal.sessions(filter, &page).await.expect("a page");
            times.push(begun.elapsed());
            match sessions.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
    }
    times
}

/// The class of a duration `d` as SQL, as `projection::duration_class` has it.
pub(crate) fn classes() -> String {
    let mut sql = String::from("CASE");
    for doublings in (2..44_u32).rev() {
        for quarter in (0..4_u64).rev() {
            let from = (1_u64 << doublings) + (quarter << (doublings - 2));
            sql.push_str(&format!(" WHEN d >= {from} THEN {}", u64::from(doublings) * 4 + quarter));
        }
    }
    sql + " ELSE 0 END"
}
