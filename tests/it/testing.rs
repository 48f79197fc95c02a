//! `TestShell` itself: a test that can not fail is a defect.

use admin_shell::{AdminShell, Cx, Helpers, Result, event::Status, testing::TestShell};

struct Counter;

impl AdminShell for Counter {
    const COMPONENT: &'static str = "counter";

    fn helpers(helpers: &mut Helpers<Self>) {
        helpers.read("count", "Counts to a number.").param("to", "How far.").example("count(2)").run(count);
        helpers.destroy("forget", "Forgets all numbers.").example("forget()").run(forget);
    }
}

async fn count(cx: Cx<Counter>, to: u8) -> Result<Vec<u8>> {
    cx.print("counting");
    Ok((1..=to).collect())
}

async fn forget(_: Cx<Counter>, approved: admin_shell::Approved) -> Result<String> {
    Ok(format!("forgotten, because: {}", approved.reason()))
}

#[tokio::test]
async fn sees_what_a_person_sees_and_what_the_record_holds() {
    let shell = TestShell::new(Counter).await;
    let ran = shell.run("count(3)").await;
    assert_eq!(ran.printed(), "counting\n");
    assert_eq!(ran.value::<Vec<u8>>(), [1, 2, 3]);
    let ran = shell.run("count(300)").await;
    assert_eq!(ran.status, Status::Error);
    assert_eq!(
        ran.fails(),
        "error: `to` of `count` wants an integer from 0 to 255, got 300
 --> repl:2:1:7
  |
1 | count(300)
  |       ^^^
  |
  = help: write count(to), for example count(2)"
    );
    assert_eq!(shell.run("forget()").await.status, Status::Refused);
    let ran = shell.confirms("a test").run("forget()").await;
    assert_eq!(ran.value::<String>(), "forgotten, because: a test");
    assert_eq!(shell.asked().len(), 2);
    shell.declines().close().await;
    let kinds: Vec<_> = shell.events().await.iter().map(|event| event.kind().to_string()).collect();
    let command = ["command_start", "command_end"];
    let mut expected = vec!["session_start"];
    expected.extend(command);
    expected.extend(command);
    expected.extend(["command_start", "call_start", "command_end"]);
    expected.extend(["command_start", "call_start", "call_end", "command_end"]);
    expected.push("session_end");
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn runs_the_examples() {
    TestShell::new(Counter).await.examples().await;
}

#[tokio::test]
#[should_panic(expected = "the example of `broken` fails: broken(1)")]
async fn names_the_example_that_fails() {
    let shell = admin_shell::Shell::new(Counter).helpers(|helpers| {
        helpers
            .read("broken", "Has an example that is wrong.")
            .example("broken(1)")
            .run(async |_: Cx<Counter>| Ok::<_, anyhow::Error>(1));
    });
    TestShell::of(shell).await.examples().await;
}

#[tokio::test]
#[should_panic(expected = "the command did not fail, its value is 2")]
async fn a_success_is_no_failure() {
    let _ = TestShell::new(Counter).await.run("1 + 1").await.fails();
}

#[tokio::test]
#[should_panic(expected = "there is no function `sum`")]
async fn a_failure_has_no_value() {
    let _ = TestShell::new(Counter).await.run("sum()").await.value::<i64>();
}
