//! Somebody changes what is made of the events: lists, counts, sums, the text index. `verify` names the rows, and a rebuild
//! puts them right.

use super::{super::fixture::*, Scene, has};
use admin_shell::journal::*;

#[tokio::test]
async fn an_edited_projection_is_named_and_a_rebuild_mends_it() {
    for change in [
        "UPDATE sessions SET username = 'eve' WHERE stream = 2",
        "UPDATE sessions SET duration_class = 3 WHERE stream = 2",
        "UPDATE streams SET failed = 7 WHERE id = 2",
        "UPDATE commands SET input = 'nothing()' WHERE position = 9",
        "DELETE FROM commands WHERE position = 9",
        "DELETE FROM sessions WHERE stream = 2",
        "UPDATE sessions SET status = 'open', end_us = NULL WHERE stream = 2",
    ] {
        let scene = Scene::new().await;
        scene.tamper(change).await;
        let report = scene.verify().await;
        assert!(has(&report, "projection", |f| f.stream == scene.name(1)), "{change}: {report:?}");
        assert!(report.faults.iter().all(|f| f.what == "projection"), "{change}: {report:?}");
        let journal = scene.place.open().await;
        let rebuilt = journal.rebuild().await.expect("rebuilt");
        assert_eq!(rebuilt.corrected, [scene.sessions[1].id.to_string()], "{change}");
        let report = journal.verify(None).await.expect("verified");
        assert!(report.faults.is_empty(), "{change}: {report:?}");
        journal.close().await;
    }
}

/// Rows that no session's own check sees: a fault names each, a rebuild names it again and makes it anew.
#[tokio::test]
async fn every_row_that_differs_is_named_and_a_rebuild_says_which() {
    for (change, table, key) in [
        (
            "INSERT INTO commands (position, stream, command, start_us, input) VALUES (400, 2, 9, 0, 'x')",
            "commands",
            "position 400",
        ),
        (
            "INSERT INTO sessions (stream, session_id, component, order_us, status) VALUES (77, 'sess_nobody', 'x', 0, 'open')",
            "sessions",
            "sess_nobody",
        ),
        (
            "INSERT INTO observations (position, about, what, time_us) VALUES (400, 'sess_nobody', 'crashed', 0)",
            "observations",
            "position 400",
        ),
        ("UPDATE commands SET stream = 3 WHERE position = 9", "commands", "position 9"),
        ("UPDATE streams SET running = 3, running_position = 9 WHERE id = 2", "streams", "sess_"),
        ("UPDATE streams SET last_us = 3 WHERE id = 2", "streams", "sess_"),
        ("UPDATE rollups SET failed = 9 WHERE component = 'manager'", "rollups", "2023-11-14 manager"),
        (
            "INSERT INTO rollups SELECT day + 1, component, 1, 1, 1, 1, 1, 1, 1, 1, 1 FROM rollups LIMIT 1",
            "rollups",
            "2023-11-15 manager",
        ),
    ] {
        let scene = Scene::new().await;
        scene.tamper(change).await;
        let report = scene.verify().await;
        assert!(
            has(&report, "projection", |f| f.message.contains(table) || table == "rollups" && f.message.contains(key)),
            "{change}: {report:?}"
        );
        assert_eq!(report.faults.len(), 1, "{change}: {report:?}");
        let journal = scene.place.open().await;
        let rebuilt = journal.rebuild().await.expect("rebuilt");
        let named: Vec<_> = rebuilt.differences.iter().map(|row| (row.table.as_str(), row.key.as_str())).collect();
        assert!(matches!(named[..], [(found, at)] if found == table && at.starts_with(key)), "{change}: {rebuilt:?}");
        let report = journal.verify(None).await.expect("verified");
        assert!(report.faults.is_empty(), "{change}: {report:?}");
        assert!(journal.rebuild().await.expect("rebuilt").differences.is_empty(), "{change}");
        journal.close().await;
    }
}

#[tokio::test]
async fn an_observation_that_was_edited_is_named() {
    let scene = Scene::new().await;
    let journal = scene.place.open().await;
    let about = observation(at(950), Some(&scene.sessions[3].id), "end_requested");
    journal.record(&journal.own_stream(), &[about]).await.expect("recorded");
    journal.close().await;
    scene.tamper("UPDATE observations SET what = 'crashed'").await;
    let report = scene.verify().await;
    assert!(has(&report, "projection", |f| f.position == Some(18) && f.message.contains("observations")), "{report:?}");
    let journal = scene.place.open().await;
    let rebuilt = journal.rebuild().await.expect("rebuilt");
    assert_eq!((rebuilt.differences.len(), rebuilt.differences[0].table.as_str()), (1, "observations"));
    assert!(journal.verify(None).await.expect("verified").faults.is_empty());
}

/// Searches once, which fills the text index first.
async fn index(scene: &Scene) {
    // The index is left alone until it is worth the trouble.
    let journal = scene.place.open().await;
    let session = Writing::new("manager");
    let drafts: Vec<_> =
        (1..=600).map(|number| command_start(at(1_000), number, &format!("ärger({number})"))).collect();
    session.record(&journal, &[start(at(1_000), "bob", "host-b")]).await.expect("recorded");
    session.record(&journal, &drafts).await.expect("recorded");
    let asked = Filter { text: Some("retry".into()), ..Filter::default() };
    assert_eq!(journal.sessions(&asked, &Page::default()).await.expect("found").records.len(), 3);
    assert!(journal.verify(None).await.expect("verified").faults.is_empty());
    assert!(journal.rebuild().await.expect("rebuilt").differences.is_empty());
    journal.close().await;
}

#[tokio::test]
async fn what_is_missing_from_the_text_index_or_too_much_in_it_is_named() {
    for (change, key) in [
        (
            "INSERT INTO command_text (command_text, rowid, input) SELECT 'delete', position, input FROM commands WHERE position = 9",
            "position 9",
        ),
        (
            "INSERT INTO command_text (command_text, rowid, input) SELECT 'delete', position, input FROM commands WHERE position = 30",
            "position 30",
        ),
        ("INSERT INTO command_text (rowid, input) VALUES (9, 'nothing()')", "position 9"),
        ("INSERT INTO command_text (rowid, input) VALUES (4000, 'nothing()')", "position 4000"),
        ("INSERT INTO command_text (command_text) VALUES ('delete-all')", "position 2"),
        ("UPDATE command_text_data SET block = x'00112233' WHERE id > 10", "the whole index"),
    ] {
        let scene = Scene::new().await;
        index(&scene).await;
        scene.tamper(change).await;
        let report = scene.verify().await;
        let place = key.strip_prefix("position ").and_then(|number| number.parse().ok());
        assert!(
            has(&report, "projection", |f| f.position == place && f.message.contains("text index")),
            "{change}: {report:?}"
        );
        let journal = scene.place.open().await;
        let rebuilt = journal.rebuild().await.expect("rebuilt");
        assert!(rebuilt.differences.iter().all(|row| row.table == "command_text"), "{change}: {rebuilt:?}");
        assert!(rebuilt.differences[0].key.starts_with(key), "{change}: {rebuilt:?}");
        assert!(journal.verify(None).await.expect("verified").faults.is_empty(), "{change}");
        journal.close().await;
    }
}

#[tokio::test]
async fn a_mark_of_the_writer_that_was_changed_is_named() {
    let scene = Scene::new().await;
    scene.tamper("UPDATE streams SET own = 0 WHERE id = 2").await;
    let report = scene.verify().await;
    assert!(has(&report, "own", |f| f.stream == scene.name(1)), "{report:?}");
    assert_eq!(report.faults.len(), 1, "{report:?}");
}
