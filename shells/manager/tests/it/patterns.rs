//! `insights` and `quality`: nothing is said of healthy work, and of planted faults exactly what was planted.

use serde_json::{Value, json};

use crate::{
    plant::{Plot, Seed, at},
    program::{answer, shown},
};

/// Forty days of work between 9:00 and 16:59, some of it on another machine, and now and then a mistake.
async fn healthy() -> Plot {
    let plot = Plot::new().await;
    for day in 0_i64..40 {
        let hour = i8::try_from(9 + day % 8).expect("an hour");
        let mut seed = Seed::new(at(day, hour, i8::try_from(day).expect("a minute")));
        seed.seconds = Some(300 + 20 * day);
        seed.host = if day % 4 == 0 { "host-b" } else { "host-a" };
        seed.commands.push((format!("retry(\"run_{day}\")"), (day % 20 == 7).then_some("the engine is away")));
        plot.plant(seed).await;
    }
    for day in 0..5 {
        plot.plant(Seed { component: "builder", user: "bob", ..Seed::new(at(day, 10, 0)) }).await;
    }
    plot
}

#[tokio::test]
async fn of_healthy_work_nothing_is_said() {
    let plot = healthy().await;
    assert_eq!(answer(&plot, "insights()"), json!([]));
    assert_eq!(shown(&plot, "insights()"), "(none)\n");
}

#[tokio::test]
async fn of_planted_faults_exactly_these_lines() {
    let plot = healthy().await;
    plot.plant(Seed { host: "host-b", seconds: None, ..Seed::new(at(50, 10, 0)) }).await;
    let crashed = plot.plant(Seed { host: "host-b", seconds: None, ..Seed::new(at(52, 11, 0)) }).await;
    for day in 0..3 {
        let mut seed = Seed { component: "builder", user: "bob", ..Seed::new(at(60 + day, 10, 0)) };
        seed.commands = vec![(format!("render(\"page_{day}.html\")"), Some("no template `base.html`"))];
        plot.plant(seed).await;
    }
    let mut seed = Seed { component: "builder", user: "bob", ..Seed::new(at(63, 10, 0)) };
    seed.commands = vec![("render(\"index.html\")".to_owned(), None)];
    plot.plant(seed).await;
    let long = plot.plant(Seed { seconds: Some(3 * 86_400 + 4 * 3_600), ..Seed::new(at(70, 10, 0)) }).await;
    let night = plot.plant(Seed::new(at(75, 3, 12))).await;

    let insights = answer(&plot, "insights()");
    let lines: Vec<&str> =
        insights.as_array().unwrap().iter().map(|insight| insight["what"].as_str().unwrap()).collect();
    assert_eq!(
        lines,
        [
            "2 of 12 sessions on host-b crashed",
            "render(\"…\") failed 3 of 4 times: no template `base.html`",
            "a session by ada on host-a was open for 3d4h; half of 41 others took at most 11m20s",
            "ada opened a session at 03:12; 0 of 43 others began within two hours of that",
        ]
    );
    assert_eq!(
        insights[0],
        json!({
            "kind": "crashes", "component": "orchestrator", "what": lines[0], "count": 2, "of": 12,
            "since": "2026-02-24T10:00:00Z", "last": "2026-02-26T11:00:00Z", "session_id": crashed.as_str(),
        })
    );
    assert_eq!((&insights[2]["session_id"], &insights[3]["session_id"]), (&json!(long), &json!(night)));
    assert_eq!(answer(&plot, "insights(2)"), Value::Array(insights.as_array().unwrap()[..2].to_vec()));
    assert_eq!(answer(&plot, "show(insights()[0]).status"), "crashed");
    let text = shown(&plot, "insights(1)");
    let block = format!(
        "crashes   orchestrator: 2 of 12 sessions on host-b crashed\n          \
         since 2026-02-24T10:00:00Z, last at 2026-02-26T11:00:00Z in {crashed}\n"
    );
    assert_eq!(text, block);
}

#[tokio::test]
async fn quality_by_component() {
    let plot = healthy().await;
    plot.plant(Seed { seconds: None, ..Seed::new(at(50, 10, 0)) }).await;
    let quality = answer(&plot, "quality()");
    assert_eq!(
        quality.as_array().unwrap()[..2],
        [
            json!({"component": "builder", "sessions": 5, "active": 0, "crashed": 0, "commands": 5, "failed": 0, "quality_score": 100.0}),
            json!({"component": "manager", "sessions": 1, "active": 1, "crashed": 0, "commands": 1, "failed": 0, "quality_score": null}),
        ]
    );
    // Of the crashed session's two commands one ended well; its score is 80.
    assert_eq!(
        quality[2],
        json!({"component": "orchestrator", "sessions": 41, "active": 0, "crashed": 1, "commands": 81, "failed": 2, "quality_score": 97.1})
    );
    // What was planted is months old.
    let recent = answer(&plot, "quality(\"1d\")");
    assert_eq!(recent.as_array().unwrap().len(), 1);
}
