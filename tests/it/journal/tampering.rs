//! Somebody changes the file behind the journal's back; `verify` names what and where.

use admin_shell::{
    event::{EndReason, Status},
    journal::{CommandFilter, Fault, Filter, Journal, JournalError, Page, Report, SqliteJournal, Verdict},
};
use sqlx::{AssertSqlSafe, Connection, Executor, SqliteConnection};

mod projection;

use super::fixture::{Place, Writing, at, command_end, command_start, end, observation, start};

/// A journal with three ended sessions of five events each and an open one, at positions 1–5, 6–10, 11–15 and 16–17.
struct Scene {
    place: Place,
    sessions: Vec<Writing>,
}

impl Scene {
    async fn new() -> Self {
        let place = Place::new();
        let journal = place.open().await;
        let mut sessions = Vec::new();
        for number in 0..3 {
            let session = Writing::new("orchestrator");
            let drafts = [
                start(at(number * 100), "ada", "host-a"),
                command_start(at(number * 100 + 1), 1, "show(\"run\")"),
                command_end(at(number * 100 + 2), 1, Status::Ok),
                command_start(at(number * 100 + 3), 2, "retry(\"run\")"),
                end(at(number * 100 + 9), EndReason::Exit, 9_000_000),
            ];
            session.record(&journal, &drafts).await.expect("recorded");
            sessions.push(session);
        }
        let open = Writing::new("manager");
        let drafts = [start(at(900), "bob", "host-b"), command_start(at(901), 1, "ps()")];
        open.record(&journal, &drafts).await.expect("recorded");
        sessions.push(open);
        let report = journal.verify(None).await.expect("verified");
        assert!(report.faults.is_empty(), "{:?}", report.faults);
        assert_eq!((report.streams, report.events, report.position), (4, 17, 17));
        journal.close().await;
        Self { place, sessions }
    }

    async fn tamper(&self, sql: &str) {
        let url = format!("sqlite:{}", self.place.path());
        let mut connection = SqliteConnection::connect(&url).await.expect("the file opens");
        connection.execute(AssertSqlSafe(sql.to_owned())).await.expect("the change works");
        connection.close().await.expect("it closes");
    }

    async fn verify(&self) -> Report {
        let journal = self.place.open().await;
        let report = journal.verify(None).await.expect("verified");
        journal.close().await;
        report
    }

    fn name(&self, session: usize) -> Option<String> {
        Some(self.sessions[session].id.to_string())
    }
}

fn has(report: &Report, what: &str, f: impl Fn(&Fault) -> bool) -> bool {
    report.faults.iter().any(|fault| fault.what == what && f(fault))
}

#[tokio::test]
async fn an_edited_text_is_named() {
    let scene = Scene::new().await;
    scene.tamper("UPDATE events SET text = replace(text, 'retry', 'shows') WHERE position = 9").await;
    let report = scene.verify().await;
    assert!(
        has(&report, "edited", |f| f.stream == scene.name(1) && f.seq == Some(3) && f.position == Some(9)),
        "{report:?}"
    );
    assert_eq!(report.faults.len(), 1, "one change, one fault: {report:?}");
}

#[tokio::test]
async fn an_event_sealed_anew_in_place_is_named() {
    let scene = Scene::new().await;
    // The attacker has the program: a well-made event of the same stream, seq and id of the row, with other words.
    let other = admin_shell::journal::SqliteJournal::in_memory().await.expect("a journal");
    let drafts = [start(at(100), "eve", "host-a"), command_start(at(101), 1, "nothing()")];
    let events = scene.sessions[1].record(&other, &drafts).await.expect("sealed");
    let (text, hash) = (events[1].text().replace('\'', "''"), hex(events[1].hash().as_bytes()));
    let id = hex(events[1].event_id().as_bytes());
    scene
        .tamper(&format!(
            "UPDATE events SET text = '{text}', hash = x'{hash}', event_id = x'{id}', time_us = {} WHERE position = 7",
            events[1].timestamp().as_microsecond()
        ))
        .await;
    let report = scene.verify().await;
    assert!(has(&report, "link", |f| f.position == Some(7)), "{report:?}");
    assert!(has(&report, "edited", |f| f.stream == scene.name(1) && f.seq == Some(1)), "{report:?}");
}

#[tokio::test]
async fn a_removed_event_is_named() {
    let scene = Scene::new().await;
    scene.tamper("DELETE FROM events WHERE position = 8; DELETE FROM commands WHERE position = 8").await;
    let report = scene.verify().await;
    assert!(has(&report, "missing", |f| f.position == Some(8)), "{report:?}");
    assert!(has(&report, "missing", |f| f.stream == scene.name(1) && f.seq == Some(2)), "{report:?}");
}

#[tokio::test]
async fn a_removed_event_is_named_after_closing_the_ranks() {
    let scene = Scene::new().await;
    scene
        .tamper(
            "DELETE FROM events WHERE position = 8; \
             UPDATE events SET position = position - 1 WHERE position > 8; \
             UPDATE events SET seq = seq - 1 WHERE stream = 2 AND seq > 2",
        )
        .await;
    let report = scene.verify().await;
    assert!(has(&report, "link", |f| f.position == Some(8)), "{report:?}");
    assert!(has(&report, "edited", |f| f.stream == scene.name(1) && f.seq == Some(2)), "{report:?}");
}

#[tokio::test]
async fn an_inserted_event_is_named() {
    let scene = Scene::new().await;
    scene
        .tamper(
            "INSERT INTO events (position, event_id, stream, seq, type, time_us, recorded_us, hash, link, text) \
             SELECT 18, x'00112233445566778899aabbccddeeff', stream, 5, type, time_us, recorded_us, hash, link, text \
             FROM events WHERE position = 10",
        )
        .await;
    let report = scene.verify().await;
    assert!(has(&report, "link", |f| f.position == Some(18)), "{report:?}");
    assert!(has(&report, "inserted", |f| f.stream == scene.name(1) && f.seq == Some(5)), "{report:?}");
}

#[tokio::test]
async fn a_cut_tail_is_named() {
    let scene = Scene::new().await;
    scene.tamper("DELETE FROM events WHERE position >= 15").await;
    let report = scene.verify().await;
    assert!(has(&report, "cut_tail", |f| f.stream == scene.name(2) && f.seq == Some(4)), "{report:?}");
    assert!(has(&report, "removed_session", |f| f.stream == scene.name(3)), "{report:?}");
}

#[tokio::test]
async fn a_session_removed_with_all_its_rows_is_named() {
    let scene = Scene::new().await;
    scene
        .tamper(
            "DELETE FROM events WHERE stream = 4; DELETE FROM sessions WHERE stream = 4; \
             DELETE FROM commands WHERE stream = 4; DELETE FROM streams WHERE id = 4; \
             DELETE FROM rollups WHERE component = 'manager'",
        )
        .await;
    let report = scene.verify().await;
    assert!(has(&report, "removed_session", |f| f.message.contains("number 4")), "{report:?}");
}

#[tokio::test]
async fn a_cut_tail_with_its_streams_mended_shows_in_the_sums() {
    let scene = Scene::new().await;
    scene
        .tamper(
            "DELETE FROM events WHERE stream = 4; DELETE FROM sessions WHERE stream = 4; \
             DELETE FROM commands WHERE stream = 4; DELETE FROM streams WHERE id = 4; \
             UPDATE journal SET streams = 3",
        )
        .await;
    let report = scene.verify().await;
    assert!(has(&report, "projection", |f| f.message.contains("manager")), "{report:?}");
}

#[tokio::test]
async fn residue_beside_a_whole_body_is_named() {
    let scene = Scene::new().await;
    scene.tamper("UPDATE events SET residue = '{}' WHERE position = 9").await;
    let report = scene.verify().await;
    assert!(
        has(&report, "residue", |f| f.stream == scene.name(1) && f.seq == Some(3) && f.position == Some(9)),
        "{report:?}"
    );
    assert_eq!(report.faults.len(), 1, "{report:?}");
}

#[tokio::test]
async fn what_is_kept_aside_is_checked_too() {
    let scene = Scene::new().await;
    let elsewhere = SqliteJournal::in_memory().await.expect("a journal");
    let session = Writing::new("orchestrator");
    let first = session.record(&elsewhere, &[start(at(0), "ada", "host-a")]).await.expect("recorded");
    let other = SqliteJournal::in_memory().await.expect("a journal");
    let second = session.record(&other, &[start(at(1), "eve", "host-a")]).await.expect("recorded");
    let journal = scene.place.open().await;
    journal.append(&first).await.expect("appended");
    let verdicts = journal.append(&second).await.expect("judged");
    assert!(matches!(verdicts[..], [Verdict::Conflict(_)]), "{verdicts:?}");
    assert!(journal.verify(None).await.expect("verified").faults.is_empty());
    journal.close().await;
    for change in ["UPDATE conflicts SET text = replace(text, 'eve', 'bob')", "UPDATE conflicts SET seq = 3"] {
        scene.tamper(change).await;
        let report = scene.verify().await;
        let name = Some(session.id.to_string());
        assert!(has(&report, "conflict", |f| f.stream == name && f.seq.is_some()), "{change}: {report:?}");
    }
}

/// A value of the right type that makes no sense is the journal's fault, said with its place; it takes nobody down.
#[tokio::test]
async fn a_value_that_can_not_be_read_is_named_with_its_place() {
    for (change, word, said) in [
        (
            "UPDATE commands SET input = CAST(x'ff' AS TEXT) WHERE position = 9",
            "unreadable",
            "`input` of the table `commands`, at stream 2, position 9",
        ),
        ("UPDATE sessions SET pid = -1 WHERE stream = 2", "projection", "the table `sessions`"),
        (
            "UPDATE streams SET head_hash = x'00' WHERE id = 2",
            "unreadable",
            "`head_hash` of the table `streams`, at name sess_",
        ),
        ("UPDATE events SET hash = x'00' WHERE position = 9", "unreadable", "`hash` of the table `events`"),
        (
            "UPDATE events SET text = CAST(x'ff' AS TEXT) WHERE position = 9",
            "unreadable",
            "`text` of the table `events`",
        ),
    ] {
        let scene = Scene::new().await;
        scene.tamper(change).await;
        // Beside it stands a fault of another kind: what can not be read hides nothing else.
        scene.tamper("UPDATE events SET text = replace(text, 'ps()', 'py()') WHERE position = 17").await;
        let journal = scene.place.open().await;
        let session = &scene.sessions[1];
        let all = journal.verify(None).await.expect("verified");
        let faults: Vec<_> = all.faults.iter().filter(|fault| fault.what == word).collect();
        assert!(matches!(faults[..], [fault] if fault.message.contains(said)), "{change}: {all:?}");
        assert!(has(&all, "edited", |fault| fault.stream == scene.name(3)), "{change}: {all:?}");
        assert_eq!(all.faults.len(), 2, "{change}: {all:?}");
        let one = journal.verify(Some(&session.id)).await.expect("verified");
        assert!(has(&one, word, |fault| fault.message.contains(said)), "{change}: {one:?}");
        let mut said_by = Vec::new();
        said_by.extend(journal.sessions(&Filter::default(), &Page::default()).await.err());
        let filter = CommandFilter { session: Some(session.id.clone()), ..CommandFilter::default() };
        said_by.extend(journal.commands(&filter).await.err());
        said_by.extend(journal.events(&session.stream.id, 0, 100).await.err());
        assert!(said_by.iter().all(|error| matches!(error, JournalError::Damaged(_))), "{change}: {said_by:?}");
        journal.close().await;
    }
}

#[tokio::test]
async fn an_anchor_betrays_a_chain_that_was_made_anew() {
    let scene = Scene::new().await;
    let journal = scene.place.open().await;
    let link = journal.verify(None).await.expect("verified").link.expect("a link");
    journal.close().await;
    let link = link.trim_start_matches("sha256:").to_owned();
    let receipt = |position: i64, link: &str| {
        format!(
            "INSERT INTO receipts (tracker, position, link, received_us) VALUES ('jrnl_tracker', {position}, x'{link}', 1)"
        )
    };
    scene.tamper(&receipt(17, &link)).await;
    let report = scene.verify().await;
    assert!(report.faults.is_empty(), "{report:?}");
    assert_eq!((report.anchors.len(), report.anchors[0].position), (1, 17));
    assert!(!report.unknowable.iter().any(|s| s.contains("could have made")), "{:?}", report.unknowable);

    // More is recorded: what comes after the anchor is on its own again, and the report says so.
    let journal = scene.place.open().await;
    scene.sessions[3].record(&journal, &[command_end(at(902), 1, Status::Ok)]).await.expect("recorded");
    journal.close().await;
    let report = scene.verify().await;
    assert!(report.unknowable.iter().any(|s| s.contains("after position 17")), "{:?}", report.unknowable);

    // The tracker holds another history up to position 12.
    scene.tamper(&receipt(12, &"ab".repeat(32))).await;
    let report = scene.verify().await;
    assert!(has(&report, "anchor", |f| f.position == Some(12)), "{report:?}");

    // And one that is longer than ours.
    scene.tamper("DELETE FROM receipts WHERE position = 12").await;
    scene.tamper(&receipt(40, &"ab".repeat(32))).await;
    let report = scene.verify().await;
    assert!(has(&report, "cut_tail", |f| f.message.contains("position 40")), "{report:?}");
}

#[tokio::test]
async fn one_session_can_be_verified() {
    let scene = Scene::new().await;
    scene.tamper("UPDATE events SET text = replace(text, 'retry', 'shows') WHERE position = 9").await;
    let journal = scene.place.open().await;
    let good = journal.verify(Some(&scene.sessions[0].id)).await.expect("verified");
    assert!(good.faults.is_empty(), "{good:?}");
    assert_eq!((good.streams, good.events), (1, 5));
    let bad = journal.verify(Some(&scene.sessions[1].id)).await.expect("verified");
    assert!(has(&bad, "edited", |f| f.seq == Some(3)), "{bad:?}");
    // An observation counts as it does when everything is verified.
    let about = observation(at(950), Some(&scene.sessions[3].id), "crashed");
    journal.record(&journal.own_stream(), &[about]).await.expect("recorded");
    let crashed = journal.verify(Some(&scene.sessions[3].id)).await.expect("verified");
    assert!(crashed.faults.is_empty(), "{crashed:?}");
    let unknown = journal.verify(Some(&admin_shell::event::SessionId::new())).await.expect("verified");
    assert_eq!(unknown.faults.len(), 1);
    journal.close().await;
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_body_that_nobody_scrubbed_is_missed() {
    let scene = Scene::new().await;
    scene.tamper("UPDATE events SET text = NULL WHERE position = 9").await;
    let report = scene.verify().await;
    assert!(has(&report, "erased", |f| f.stream == scene.name(1) && f.seq == Some(3)), "{report:?}");
}

#[tokio::test]
async fn a_value_of_another_type_is_not_taken() {
    let scene = Scene::new().await;
    let mut other = SqliteConnection::connect(&format!("sqlite:{}", scene.place.path())).await.expect("opens");
    let refused = other.execute("UPDATE events SET text = CAST(text AS BLOB) WHERE position = 9").await;
    assert!(refused.expect_err("the table is strict").to_string().contains("cannot store BLOB value in TEXT column"));
}
