//! The door: who may call what, what is asked, what is shown before, and what helpers that misbehave come to.

use std::time::{Duration, Instant};

use admin_shell::{
    Actor, Approval, Approver, Policy, Request, Verdict,
    event::{ActorKind, CallStart, CommandEnd, Status},
    session::Question,
    testing::TestShell,
};
use serde_json::{Value, json};

use super::desk::{Desk, Log, desk, shell, words};

/// Says the same about every call of one helper.
struct Says(&'static str, Verdict);

impl Policy for Says {
    fn name(&self) -> &str {
        "says"
    }

    fn decide(&self, request: &Request<'_>) -> Verdict {
        if request.spec.name == self.0 { self.1.clone() } else { Verdict::Run }
    }
}

struct Second(Result<&'static str, &'static str>);

#[async_trait::async_trait]
impl Approver for Second {
    async fn approve(&self, question: &Question) -> admin_shell::Result<Approval> {
        if question.call.contains("for ever") {
            std::future::pending::<()>().await;
        }
        assert!(!question.call.contains("panic"), "the approver panics");
        match self.0 {
            Ok(name) => Ok(Approval { by: Actor::stated(name, ActorKind::Human), reason: "four eyes".into() }),
            Err(because) => anyhow::bail!("{because}"),
        }
    }
}

fn because(text: &str) -> String {
    text.to_owned()
}

async fn decisions(shell: &TestShell) -> Vec<(String, String, Option<String>, Option<String>)> {
    let decode =
        |event: &admin_shell::Event| event.decode::<CallStart>().filter(|_| event.kind().as_str() == "call_start");
    let decision = |call: CallStart| {
        let decision = call.decision;
        (decision.verdict, decision.policy, decision.reason, decision.approver)
    };
    shell.events().await.iter().filter_map(decode).map(decision).collect()
}

#[tokio::test]
async fn what_destroys_is_asked_about() {
    let (shell, log) = desk().await;
    let refused = shell.run("cancel(\"r1\")").await;
    assert_eq!(refused.status, Status::Refused);
    assert_eq!(
        refused.fails(),
        "error: `cancel` was not confirmed\n --> repl:1:1:1\n  |\n1 | cancel(\"r1\")\n  | ^^^^^^\n  |\n  = help: answer the question with yes, and give a reason"
    );
    for reason in ["", "   ", &"x".repeat(501)] {
        assert_eq!(shell.confirms(reason).run("wipe()").await.status, Status::Refused, "{reason:?}");
    }
    shell.confirms("the disk is full").run("cancel(\"r1\")").await.value::<Value>();
    assert_eq!(log.all(), ["cancel r1: the disk is full"]);
    let question = &shell.asked()[0];
    assert_eq!((question.call.as_str(), question.because.as_str()), ("cancel(\"r1\")", "`cancel` destroys something"));
    assert_eq!(question.preview.as_deref(), Some("r1 would stop"));
    let decisions = decisions(&shell).await;
    assert_eq!(decisions[0].0, "refused");
    let confirmed = ("confirmed".into(), "by_effect".into(), Some("the disk is full".into()), Some("tester".into()));
    assert_eq!(decisions[4], confirmed);
}

#[tokio::test]
async fn read_only_refuses_changes_without_a_question() {
    let log = Log::default();
    let shell = TestShell::read_only(shell(&log)).await;
    shell.confirms("please");
    for code in ["note(\"x\")", "sync", "cancel(\"r1\")", "rename(\"r1\", \"x\")"] {
        let ran = shell.run(code).await;
        assert_eq!(ran.status, Status::Refused, "{code}");
        assert_eq!(ran.printed(), "", "no preview of what will not be");
        assert!(ran.fails().contains("this session is read-only"));
    }
    assert_eq!(shell.run("ps().len").await.value::<i64>(), 3);
    assert!(shell.asked().is_empty() && log.all().is_empty());
    assert_eq!(decisions(&shell).await[0].1, "read_only");
}

#[tokio::test]
async fn policies_only_tighten() {
    let log = Log::default();
    let strict = shell(&log)
        .policy(Says("cancel", Verdict::Run))
        .policy(Says("note", Verdict::Refuse { because: because("no notes today") }))
        .policy(Says("note", Verdict::Ask { because: because("really?") }))
        .policy(Says("ps", Verdict::Ask { because: because("who wants to know?") }))
        .policy(Says("show", Verdict::Refuse { because: because("nothing to see") }));
    let shell = TestShell::of(strict).await;
    shell.run("cancel(\"r1\")").await.fails();
    assert!(shell.run("note(\"x\")").await.fails().contains("no notes today"));
    assert!(shell.run("show(\"r1\")").await.fails().contains("nothing to see"));
    assert!(shell.run("ps()").await.fails().contains("`ps` was not confirmed"));
    shell.confirms("I do").run("ps()").await.value::<Value>();
    assert_eq!(log.all(), [""; 0]);
    let expected = [
        "session_start",
        "command_start",
        "call_start cancel refused",
        "command_end refused",
        "command_start",
        "call_start note refused",
        "command_end refused",
        "command_start",
        "call_start show refused",
        "command_end refused",
        "command_start",
        "call_start ps refused",
        "command_end refused",
        "command_start",
        "call_start ps confirmed",
        "call_end ps ok",
        "command_end ok",
    ];
    let events = shell.events().await;
    assert_eq!(words(&events), expected);
    assert_eq!(
        decisions(&shell).await.iter().map(|decision| decision.1.as_str()).collect::<Vec<_>>(),
        ["by_effect", "says", "says", "says", "says"]
    );
    // A read that was asked about is still one of the reads.
    let end: CommandEnd = events.last().and_then(admin_shell::Event::decode).expect("a command's end");
    assert_eq!(end.reads["ps"].calls, 1);
}

#[tokio::test]
async fn a_second_person_approves_or_does_not() {
    let log = Log::default();
    let two = || Says("cancel", Verdict::Second { because: because("two people decide") });
    let alone = TestShell::of(shell(&log).policy(two())).await;
    assert!(alone.run("cancel(\"r1\")").await.fails().contains("two people decide, and this shell has nobody to ask"));
    let no = TestShell::of(shell(&log).policy(two()).approver(Second(Err("not at night")))).await;
    assert!(no.run("cancel(\"r1\")").await.fails().contains("two people decide: not at night"));
    assert!(no.run("cancel(\"panic\")").await.fails().contains("asking panicked: the approver panics"));
    let same = TestShell::of(shell(&log).policy(two()).approver(Second(Ok("tester")))).await;
    assert!(same.run("cancel(\"r1\")").await.fails().contains("tester can not be the second person too"));
    assert_eq!(log.all(), [""; 0]);

    let yes = TestShell::of(shell(&log).policy(two()).approver(Second(Ok("grace")))).await;
    yes.run("cancel(\"r1\")").await.value::<Value>();
    assert_eq!(log.all(), ["cancel r1: four eyes"]);
    assert_eq!(decisions(&yes).await[0].3.as_deref(), Some("grace"));
    assert!(yes.asked().is_empty(), "the person at the console is not the second one");

    // An interrupt does not wait for the second person.
    let started = Instant::now();
    let interrupted = interrupted_after(&yes, "cancel(\"for ever\")", Duration::from_millis(50)).await;
    assert_eq!(interrupted.status, Status::Cancelled);
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(log.all().len(), 1);
}

async fn interrupted_after(shell: &TestShell, code: &str, delay: Duration) -> admin_shell::testing::Ran {
    let interrupt = async {
        tokio::time::sleep(delay).await;
        shell.session().interrupt();
    };
    tokio::join!(shell.run(code), interrupt).0
}

#[tokio::test]
async fn a_preview_is_shown_and_changes_nothing() {
    let (shell, log) = desk().await;
    let ran = shell.run("rename(\"r1\", \"daily\")").await;
    assert_eq!(ran.printed(), "r1: nightly → daily\n");
    assert_eq!(log.all(), ["rename r1 daily"]);
    assert!(
        shell
            .run("rename(\"r1\", \"nobody\")")
            .await
            .fails()
            .contains("the preview failed, so nothing was run: `rename` failed: nobody can be called that")
    );
    let expected = [
        "session_start",
        "command_start",
        "call_start rename run",
        "call_end rename ok",
        "command_end ok",
        "command_start",
        "command_end error",
    ];
    assert_eq!(words(&shell.events().await), expected);
}

#[tokio::test]
async fn a_panic_in_a_helper_is_an_error() {
    let (shell, _) = desk().await;
    assert!(shell.run("crash()").await.fails().contains("`crash` panicked: it was the wrong day"));
    assert_eq!(
        shell.run("try { crash() } catch (e) { print(e) }").await.printed(),
        "`crash` panicked: it was the wrong day\n"
    );
    assert_eq!(shell.run("1 + 1").await.value::<i64>(), 2);
}

#[tokio::test]
async fn time_limits_hold() {
    let (shell, _) = desk().await;
    let started = Instant::now();
    let ran = shell.run("slow()").await;
    assert_eq!(ran.status, Status::Timeout);
    assert!(ran.fails().contains("`slow` did not end within 50ms"));
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(shell.call("slow", json!({})).await.status, Status::Timeout);
    assert_eq!(shell.run("try { slow() } catch { } 1").await.value::<i64>(), 1);
}

/// A helper that blocks its thread can not be stopped: it is left behind, and the record says that nobody knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_helper_that_blocks_is_left_behind() {
    let (shell, log) = desk().await;
    let started = Instant::now();
    let ran = shell.run("stuck()").await;
    assert_eq!(ran.status, Status::Timeout);
    assert!(ran.fails().contains("`stuck` did not end within 50ms, and may still be running"));
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());

    let started = Instant::now();
    let ran = interrupted_after(&shell, "hang_on()", Duration::from_millis(300)).await;
    assert_eq!(ran.status, Status::Cancelled);
    assert!(ran.fails().contains("`hang_on` was told to stop and did not: it may still be running"));
    assert!(started.elapsed() < Duration::from_millis(1500), "{:?}", started.elapsed());
    assert_eq!(log.all(), ["hang_on"]);
    assert_eq!(shell.run("1 + 1").await.value::<i64>(), 2, "the session lives");
    let events = words(&shell.events().await);
    assert_eq!(events[3..6], ["command_start", "call_start hang_on run", "call_end hang_on unknown"]);
}

/// Ctrl-C, whatever runs: within a blink, and the session goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_stops_everything() {
    let (shell, log) = desk().await;
    let forever = [
        "loop {}",
        "loop { try { loop {} } catch {} }",
        "sleep(100)",
        "wait(100)",
        "each([1], |n| wait(100))",
        "each([1], |n| { loop {} })",
        "[1, 2, 3].map(|n| { loop {} })",
        "[3, 1, 2].sort(|a, b| { wait(100); a - b })",
        "[3, 1, 2].sort(|a, b| { sleep(100); a - b })",
        "try { wait(100) } catch { } note(\"after\")",
        "both(|| wait(100), || 1)",
        "apply(|| wait(100))",
        "// hang\n1",
    ];
    for code in forever {
        let started = Instant::now();
        let ran = interrupted_after(&shell, code, Duration::from_millis(100)).await;
        assert_eq!(ran.status, Status::Cancelled, "{code}");
        // 100 ms before, 100 ms to stop; the rest is for a machine that does other things too.
        assert!(started.elapsed() < Duration::from_millis(1000), "{code}: {:?}", started.elapsed());
        assert_eq!(shell.run("1 + 1").await.value::<i64>(), 2, "after {code}");
    }
    assert_eq!(log.all(), [""; 0]);
}

#[tokio::test]
async fn hooks_veto_note_and_fail() {
    let (shell, log) = desk().await;
    let events = async |from: usize| words(&shell.events().await)[from..].to_vec();
    let ran = shell.run("// veto\nnote(\"x\")").await;
    assert_eq!((ran.status, ran.fails().as_str()), (Status::Refused, "error: not on a Sunday"));
    shell.run("// note\nnote(\"y\")").await.value::<Value>();
    assert!(
        shell
            .run("// fail\nnote(\"x\")")
            .await
            .fails()
            .contains("the check before the command failed: nobody knows what day it is")
    );
    assert!(
        shell.run("// panic\nnote(\"x\")").await.fails().contains("the check before the command failed: it panicked")
    );
    shell.run("// after\n1").await.value::<i64>();
    assert_eq!(shell.run("// after\ncancel(\"r1\")").await.status, Status::Refused);
    assert_eq!(log.all(), ["note y", "after ok", "after refused"]);
    let expected = [
        "command_start",
        "command_end refused",
        "command_start",
        "call_start note run",
        "call_end note ok",
        "command_end ok",
        "command_start",
        "command_end refused",
        "command_start",
        "command_end refused",
        "command_start",
        "command_end ok",
        "command_start",
        "call_start cancel refused",
        "command_end refused",
    ];
    assert_eq!(events(1).await, expected);
    let all = shell.events().await;
    assert_eq!(all[6].decode::<CommandEnd>().expect("an end").notes, ["on a Sunday"]);
    // The end is recorded whatever its hook does.
    shell.close().await;
    assert_eq!(log.all().last().map(String::as_str), Some("end exit"));
    assert_eq!(events(16).await, ["session_end"]);
}

#[tokio::test]
async fn helpers_that_are_not_right_do_not_open() {
    async fn opens(shell: admin_shell::Shell<Desk>) -> String {
        let directory = tempfile::tempdir().expect("a directory");
        let shell = shell.database(directory.path().join("journal.db"));
        match shell.open(Actor::stated("tester", ActorKind::Human)).await {
            Ok(_) => panic!("it opens"),
            Err(error) => format!("{error:#}"),
        }
    }
    let log = Log::default();
    let shell = shell(&log).helpers(|helpers| {
        let nothing = async |_: admin_shell::Cx<Desk>| Ok::<_, anyhow::Error>(());
        helpers.read("ps", "Twice.").run(nothing);
        helpers.read("print", "Ours.").run(nothing);
        helpers.read("a b", "No name.").run(nothing);
        helpers.read("less", "Too few.").param("x", "What.").run(nothing);
        helpers
            .read("wrong", "A default.")
            .param("x", "What.")
            .default("text")
            .run(async |_: admin_shell::Cx<Desk>, _: u8| Ok::<_, anyhow::Error>(()));
        helpers
            .read("open", "A secret.")
            .param("x", "What.")
            .run(async |_: admin_shell::Cx<Desk>, _: admin_shell::Secret<String>| Ok::<_, anyhow::Error>(()));
    });
    let problems = opens(shell).await;
    for problem in [
        "`ps` is registered twice",
        "`print` is a word of the language or of the shell",
        "`a b` is no name for a helper",
        "`less` documents 1 parameters, its function takes 0",
        "the default \"text\" of `x` of `wrong` does not fit its type",
        "`x` of `open` takes a `Secret`, but is no `secret_param`",
    ] {
        assert!(problems.contains(problem), "{problem}\n{problems}");
    }
}
