//! Every filter of a list, against the plainest way to say what it means.

use std::time::Duration;

use admin_shell::{
    event::{EndReason, Status},
    journal::{CommandFilter, Filter, Journal, Page, SessionRecord, SessionStatus},
};

use super::fixture::{Store, Writing, at, command_end, command_start, end, observation, on_every_store, start};

async fn all(journal: &dyn Journal, filter: &Filter, limit: u32) -> Vec<SessionRecord> {
    let mut page = Page { limit, after: None };
    let mut records = Vec::new();
    loop {
        let sessions = journal.sessions(filter, &page).await.expect("a page");
        records.extend(sessions.records);
        match sessions.next {
            Some(next) => page.after = Some(next),
            None => return records,
        }
    }
}

/// Sessions of every kind: two components, three users, ended in every way or open, of all durations.
async fn fill(journal: &dyn Journal) {
    let own = journal.own_stream();
    for number in 0..60_i64 {
        let session = Writing::new(if number % 3 == 0 { "manager" } else { "orchestrator" });
        let user = ["ada", "bob", "eve"][usize::try_from(number % 3).expect("small")];
        let host = if number % 5 == 0 { "host-a" } else { "host-b" };
        let from = number * 1_000;
        let mut drafts = vec![start(at(from), user, host)];
        drafts.push(command_start(at(from + 1), 1, &format!("show(\"run_{number}\"); rate = 100%")));
        drafts.push(command_end(at(from + 1), 1, if number % 7 == 0 { Status::Error } else { Status::Ok }));
        match number % 4 {
            0 | 1 => {
                let seconds = 1_u64 << (number % 14);
                drafts.push(end(at(from + 900), EndReason::Exit, seconds * 1_000_000));
                session.record(journal, &drafts).await.expect("recorded");
            }
            2 => {
                session.record(journal, &drafts).await.expect("recorded");
                journal
                    .record(&own, &[observation(at(from + 500), Some(&session.id), "crashed")])
                    .await
                    .expect("recorded");
            }
            _ => drop(session.record(journal, &drafts).await.expect("recorded")),
        }
    }
}

/// A filter's name, the filter, and what it means.
type Case = (&'static str, Filter, fn(&SessionRecord) -> bool);

fn filters() -> Vec<Case> {
    let none = Filter::default;
    let s = |text: &str| Some(text.to_owned());
    vec![
        ("all", none(), |_| true),
        ("component", Filter { component: s("manager"), ..none() }, |r| r.component_name == "manager"),
        ("user", Filter { user: s("bob"), ..none() }, |r| r.username.as_deref() == Some("bob")),
        ("host", Filter { host: s("host-a"), ..none() }, |r| r.hostname.as_deref() == Some("host-a")),
        ("nobody", Filter { user: s("nobody"), ..none() }, |_| false),
        ("type", Filter { component_type: s("orchestrator"), ..none() }, |_| true),
        ("ended", Filter { status: Some(SessionStatus::Ended), ..none() }, |r| r.status == SessionStatus::Ended),
        ("crashed", Filter { status: Some(SessionStatus::Crashed), ..none() }, |r| r.status == SessionStatus::Crashed),
        ("is active", Filter { status: Some(SessionStatus::Active), ..none() }, |r| r.status == SessionStatus::Active),
        ("stale", Filter { status: Some(SessionStatus::Stale), ..none() }, |r| r.status == SessionStatus::Stale),
        ("lost", Filter { status: Some(SessionStatus::Lost), ..none() }, |r| r.status == SessionStatus::Lost),
        ("active", Filter { active: true, ..none() }, |r| {
            matches!(r.status, SessionStatus::Active | SessionStatus::Stale)
        }),
        ("incomplete", Filter { incomplete: true, ..none() }, |r| r.end_reason.is_none() || r.inferred),
        ("after", Filter { after: Some(at(20_000)), ..none() }, |r| r.start_time >= Some(at(20_000))),
        ("before", Filter { before: Some(at(20_000)), ..none() }, |r| r.start_time < Some(at(20_000))),
        ("longer", Filter { longer_than: Some(Duration::from_secs(100)), ..none() }, |r| {
            r.duration_seconds.is_some_and(|d| d > 100.0)
        }),
        ("shorter", Filter { shorter_than: Some(Duration::from_secs(64)), ..none() }, |r| {
            r.duration_seconds.is_some_and(|d| d < 64.0)
        }),
        (
            "between",
            Filter {
                longer_than: Some(Duration::from_secs(8)),
                shorter_than: Some(Duration::from_secs(1_000)),
                ..none()
            },
            |r| r.duration_seconds.is_some_and(|d| d > 8.0 && d < 1_000.0),
        ),
        ("text", Filter { text: s("RUN_1"), ..none() }, |_| true),
        ("short text", Filter { text: s("%"), ..none() }, |_| true),
        ("no text", Filter { text: s("run_1%"), ..none() }, |_| false),
        (
            "several",
            Filter {
                component: s("orchestrator"),
                user: s("eve"),
                longer_than: Some(Duration::from_secs(2)),
                after: Some(at(3_000)),
                text: s("run_"),
                ..none()
            },
            |r| {
                r.component_name == "orchestrator"
                    && r.username.as_deref() == Some("eve")
                    && r.duration_seconds.is_some_and(|d| d > 2.0)
                    && r.start_time >= Some(at(3_000))
            },
        ),
    ]
}

on_every_store! {
    async fn every_filter_means_what_it_says(store: &Store) {
        let journal = store.open().await;
        fill(&*journal).await;
        let open = journal.open_sessions().await.expect("open");
        assert_eq!(open.len(), 15);
        // Three that were heard of, one of them just now, one a lease ago, one long ago.
        let now = jiff::Timestamp::now().as_microsecond();
        for (record, ago) in open.iter().zip([0, 90_000_000, 900_000_000]) {
            let sql = format!(
                "INSERT INTO presence (session_id, component, heard_us, lease_us) VALUES ('{}', 'x', {}, 60000000)",
                record.session_id,
                now - ago
            );
            store.run(&sql).await;
        }
        let everything = all(&*journal, &Filter::default(), 1_000).await;
        assert_eq!(everything.len(), 60);
        for (name, filter, is_meant) in filters() {
            let meant: Vec<_> = match name {
                "text" => everything
                    .iter()
                    .filter(|r| {
                        // Numbers 1 and 10 to 19, by their start.
                        let number = (r.start_time.expect("a start").as_second() - 1_700_000_000) / 1_000;
                        number == 1 || (10..20).contains(&number)
                    })
                    .map(|r| r.session_id.clone())
                    .collect(),
                _ => everything.iter().filter(|r| is_meant(r)).map(|r| r.session_id.clone()).collect(),
            };
            for limit in [1_000, 7] {
                let got: Vec<_> = all(&*journal, &filter, limit).await.into_iter().map(|r| r.session_id).collect();
                assert_eq!(got, meant, "filter {name}, pages of {limit}");
            }
            if !["nobody", "no text"].contains(&name) {
                assert!(!meant.is_empty(), "filter {name} has nothing to find");
            }
        }
    }

    async fn commands_are_listed_newest_first(store: &Store) {
        let journal = store.open().await;
        fill(&*journal).await;
        let commands = journal.commands(&CommandFilter::default()).await.expect("commands");
        assert_eq!(commands.len(), 60);
        assert!(commands.windows(2).all(|pair| pair[0].start_time > pair[1].start_time));
        let failed = CommandFilter { failed: true, ..CommandFilter::default() };
        let failed = journal.commands(&failed).await.expect("commands");
        assert_eq!(failed.len(), 9);
        assert!(failed.iter().all(|command| command.status == "error" && command.error.is_some()));
        let one = CommandFilter { session: Some(commands[3].session_id.clone()), ..CommandFilter::default() };
        assert_eq!(journal.commands(&one).await.expect("commands"), [commands[3].clone()]);
        let manager = CommandFilter {
            component: Some("manager".into()),
            after: Some(at(30_000)),
            failed: false,
            limit: 3,
            session: None,
        };
        let manager = journal.commands(&manager).await.expect("commands");
        assert_eq!(manager.len(), 3);
        assert!(manager.iter().all(|command| command.component_name == "manager"));
    }
}
