//! Secret arguments are in no event, no error, no question and no history, however they are given; and what is no
//! secret can be read.

use admin_shell::{Policy, Request, Verdict, event::CommandEnd, testing::TestShell};

use serde_json::json;

use super::desk::{Desk, Log, desk, shell};

#[tokio::test]
async fn secrets_asked_for_are_masked() {
    let (shell, _) = desk().await;
    assert!(shell.run("ask_secret()").await.fails().contains("nobody typed one"));
    shell.types_secret("hunter2");
    assert!(shell.run("ask_secret()").await.fails().contains("[redacted] is not the one"));
    assert!(shell.events().await.iter().all(|event| !event.text().contains("hunter2")));
}

/// A secret that is too short to be looked for everywhere is masked where it is known to stand.
#[tokio::test]
async fn short_secrets_are_masked_too() {
    struct Looks(Log);

    impl Policy for Looks {
        fn name(&self) -> &str {
            "looks"
        }

        fn decide(&self, request: &Request<'_>) -> Verdict {
            self.0.did(format!("{:?}", request.args));
            Verdict::Run
        }
    }

    let (log, seen) = (Log::default(), Log::default());
    let shell = TestShell::of(shell(&log).policy(Looks(seen.clone()))).await;
    let failure = shell.run("login(\"ada\", \"9\")").await.fails();
    assert!(failure.contains("`login` failed: [redacted] is too short"), "{failure}");
    assert_eq!(seen.all(), ["[Some(String(\"ada\")), Some(String(\"[redacted]\"))]"], "no policy sees it");
    let events = shell.events().await;
    assert_eq!(events[1].body()["input"], "login(\"ada\", [redacted])");
    assert_eq!(events[2].body()["args"], json!({"user": "ada", "password": "[redacted]"}));
    assert_eq!(events[3].body()["error"]["message"], "`login` failed: [redacted] is too short");
}

/// What a program calls is recorded before anything of it has run, and no rule knows this word for a secret.
#[tokio::test]
async fn named_arguments_of_a_program_are_masked() {
    let log = Log::default();
    let shell = shell(&log).helpers(|helpers| {
        let open =
            async |_: admin_shell::Cx<Desk>, _: String, _: admin_shell::Secret<String>| Ok::<_, anyhow::Error>(());
        helpers.write("unlock", "Opens.").param("door", "Which.").secret_param("phrase", "What to say.").run(open);
    });
    let shell = TestShell::of(shell).await;
    for (helper, args, kept) in [
        (
            "unlock",
            json!({"door": "front", "phrase": "hunter2-a"}),
            r##"unlock(#{"door":"front","phrase":"[redacted]"})"##,
        ),
        (
            "unlock",
            json!({"door": "front", "phrsae": "hunter2-b"}),
            r##"unlock(#{"door":"front","phrsae":"[redacted]"})"##,
        ),
        ("unlokc", json!({"phrase": "hunter2-c"}), r##"unlokc(#{"phrase":"[redacted]"})"##),
    ] {
        shell.call(helper, args).await;
        let events = shell.events().await;
        let start = events.iter().rev().find(|event| event.kind().as_str() == "command_start").expect("a command");
        assert_eq!(start.body()["input"], kept);
        assert!(events.iter().all(|event| !event.text().contains("hunter2")), "{helper}");
    }
}

/// The names of helpers are no secrets, whatever they are called: their messages can be read, also in the record.
#[tokio::test]
async fn names_that_mean_secrets_hide_nothing() {
    let log = Log::default();
    let shell = shell(&log).helpers(|helpers| {
        helpers
            .read("rotate_token", "Fails.")
            .param("password_id", "Which.")
            .run(async |_: admin_shell::Cx<Desk>, _: u8| Err::<(), _>(anyhow::anyhow!("everything is locked")));
    });
    let shell = TestShell::of(shell).await;
    for (code, message) in [
        ("rotate_token(1)", "`rotate_token` failed: everything is locked"),
        ("rotate_token(300)", "`password_id` of `rotate_token` wants an integer from 0 to 255, got 300"),
        ("rotate_token()", "`rotate_token` wants `password_id`"),
        ("rotate_token(1, 2)", "`rotate_token` takes 1 argument, got 2"),
        ("rotate_token(1, #{password_id: 2})", "`password_id` of `rotate_token` is given twice"),
    ] {
        assert!(shell.run(code).await.fails().contains(message), "{code}");
        let end: CommandEnd = shell.events().await.last().and_then(admin_shell::Event::decode).expect("an end");
        assert_eq!(end.error.expect("an error").message, message);
    }
}

/// What ends in the place of a secret is masked where it begins, before the text has run.
#[tokio::test]
async fn what_flows_into_a_secret_is_masked_where_it_begins() {
    let (shell, _) = desk().await;
    for (given, kept) in [
        (r#"let p = "@"; login("a", p)"#, r#"let p = [redacted]; login("a", p)"#),
        (r#"const P = "@"; login("a", P)"#, r#"const P = [redacted]; login("a", P)"#),
        (r#"let p = "x1"; p = "@"; login("a", p)"#, r#"let p = [redacted]; p = [redacted]; login("a", p)"#),
        (r#"let p = "hunt"; p += "er22"; login("a", p)"#, r#"let p = [redacted]; p += [redacted]; login("a", p)"#),
        (r#"let p = "hunt" + "er22"; login("a", p)"#, r#"let p = [redacted] + [redacted]; login("a", p)"#),
        (r#"let p = ["@", "b"]; login("a", p[0])"#, r#"let p = [[redacted], [redacted]]; login("a", [redacted])"#),
        (r#"let p = []; p.push("@"); login("a", p[0])"#, r#"let p = []; p.push([redacted]); login("a", [redacted])"#),
        (r#"let p = #{x: #{y: "@"}}; login("a", p.x.y)"#, r#"let p = #{x: #{y: [redacted]}}; login("a", p.x.y)"#),
        (r#"let p = #{}; p.x = "@"; login("a", p.x)"#, r#"let p = #{}; p.x = [redacted]; login("a", p.x)"#),
        (r#"let q = "@"; let p = q; login("a", p)"#, r#"let q = [redacted]; let p = q; login("a", p)"#),
        (r#"let q = "@"; login("a", `${q}!`)"#, r#"let q = [redacted]; login("a", [redacted])"#),
        (r#"fn enter(x) { login("a", x) } enter("@")"#, r#"fn enter(x) { login("a", x) } enter([redacted])"#),
        (
            r#"fn enter(n, x) { login(n, x) } enter("ada", "@")"#,
            r#"fn enter(n, x) { login(n, x) } enter("ada", [redacted])"#,
        ),
        (
            r#"fn a(x) { b("u", x) } fn b(u, y) { login(u, y) } a("@")"#,
            r#"fn a(x) { b("u", x) } fn b(u, y) { login(u, y) } a([redacted])"#,
        ),
        (r#"fn pw() { "@" } login("a", pw())"#, r#"fn pw() { [redacted] } login("a", pw())"#),
        (
            r#"fn pw() { let h = "@"; return h; } let p = pw(); login("a", p)"#,
            r#"fn pw() { let h = [redacted]; return h; } let p = pw(); login("a", p)"#,
        ),
        (r#"for p in ["@"] { login("a", p) }"#, r#"for p in [[redacted]] { login("a", p) }"#),
        (r#"for (p, i) in ["@"] { login("a", p) }"#, r#"for (p, i) in [[redacted]] { login("a", p) }"#),
        (r#"try { throw "@" } catch (e) { login("a", e) }"#, r#"try { throw [redacted] } catch (e) { login("a", e) }"#),
        (
            r#"let o = #{user: "ada", password: "@"}; login(o)"#,
            r#"let o = #{user: [redacted], password: [redacted]}; login(o)"#,
        ),
        (
            r#"let p = if true { "@" } else { "b" }; login("a", p)"#,
            r#"let p = if true { [redacted] } else { [redacted] }; login("a", p)"#,
        ),
        (
            r#"login("a", if true { p } else { q }); let p = "@""#,
            r#"login("a", if true { p } else { q }); let p = [redacted]"#,
        ),
    ] {
        assert_eq!(shell.session().redacted(&given.replace('@', "hunter22")), kept, "{given}");
    }
    // Where nobody can tell the place, more is masked.
    for given in [
        r#"let f = |x| login("a", x); f.call("@")"#,
        r#"let f = Fn("login"); f.call("a", "@")"#,
        r#"let f = login; each(["@"], f)"#,
        r#"each(["@"], |x| login("a", x))"#,
        r#"let l = ["@"]; each(l, |x| { note("n"); login("a", x) })"#,
        r#"let l = ["@"]; l.for_each(|| login("a", this))"#,
        r#"["@"].map(|x| login("a", x))"#,
        r#"fn enter(x) { login("a", x) } let g = Fn("enter"); g.call("@")"#,
        r#"fn enter(x) { login("a", x) } Fn("enter").curry("@").call()"#,
        r#"fn enter(x) { login("a", x) } "@".enter()"#,
        r#"fn enter() { login("a", this) } let p = "@"; p.enter()"#,
        r#"fn enter(x) { login("a", x) } enter("u", "@")"#,
        r#"fn String.enter() { login("a", this) } "@".enter()"#,
        r#"let p = "a"; push(p, "@"); login("a", p)"#,
        r#"let o = #{f: |x| login("a", x)}; o.f("@")"#,
        r#"let p = "@"; { let q = p; { login("a", q) } }"#,
        r#"switch 1 { 1 => { let p = "@"; login("a", p) } }"#,
        r#"let p = `@`; login(#{user: "a", password: p})"#,
        r##"let p = #"@"#; p.login("b")"##,
        // Nearly the name of one that takes a secret, or too few and too many arguments.
        r#"logn("a", "@")"#,
        r#"logni(#{user: "a", password: "@"})"#,
        r#"logn a @"#,
        r##"logn --password @ --user a"##,
        r#"log_in("@")"#,
        r#"Login("a", "@")"#,
        r#"x.logn("@")"#,
        r#"x.login("@")"#,
        r#"login("@")"#,
        r#"login("a", "b", "@")"#,
        r#"let p = "@"; logn("a", p)"#,
        r##"logn("a", "@"##,
        r#"// logn a @"#,
        r#"login a @"#,
        r#"login(a, @)"#,
    ] {
        let kept = shell.session().redacted(&given.replace('@', "hunter22"));
        assert!(!kept.contains("hunter22"), "{kept}");
        let ran = shell.run(&given.replace('@', "hunter23")).await;
        assert!(!ran.failure().unwrap_or_default().contains("hunter23"), "{given}: {:?}", ran.failure());
    }
    for event in shell.events().await {
        assert!(!event.text().contains("hunter23"), "{}", event.text());
    }
}

/// What an earlier input says about a function holds for later ones.
#[tokio::test]
async fn functions_of_earlier_inputs_take_secrets_too() {
    let (shell, _) = desk().await;
    shell.run(r#"fn enter(n, x) { login(n, x) }"#).await;
    shell.run(r#"let f = |x| login("a", x);"#).await;
    for (given, kept) in [
        (r#"enter("ada", "hunter22")"#, r#"enter("ada", [redacted])"#),
        (r#"f.call("hunter22")"#, r#"f.call([redacted])"#),
        (r#"fn on(y) { enter("ada", y) } on("hunter22")"#, r#"fn on(y) { enter("ada", y) } on([redacted])"#),
    ] {
        assert_eq!(shell.session().redacted(given), kept);
    }
    shell.run(r#"fn enter(n, x) { n + x }"#).await;
    assert_eq!(shell.session().redacted(r#"enter("ada", "plain")"#), r#"enter("ada", "plain")"#);
}

/// What has nothing to do with a secret can be read, also beside one.
#[tokio::test]
async fn what_does_not_flow_into_a_secret_stays() {
    let (shell, _) = desk().await;
    for text in [
        r#"let p = "x"; note(p)"#,
        r#"let n = "ada"; login(n, secret_of(m))"#,
        r#"fn enter(x) { note(x) } enter("text")"#,
        r#"help("login")"#,
        r#"help(login)"#,
        r#"let logins = 5; logins + 1"#,
        r#"errors(20)"#,
        r#"let a = "one"; let b = ask_secret(); login(a, b)"#,
        r#"if p == "one" { login(a, p) }"#,
        r#"ps().filter(|r| r.name == "nightly")"#,
    ] {
        assert_eq!(shell.session().redacted(text), text);
    }
}

/// Whatever stands around it, and whatever of it is missing or too much: the secret is not recorded.
#[tokio::test]
async fn a_planted_secret_is_never_recorded() {
    use proptest::{
        prelude::*,
        test_runner::{Config, TestRunner},
    };

    let (shell, _) = desk().await;
    let piece = prop::sample::select(vec![
        "\"", "'", "`", "${", "}", "{", "(", ")", "[", "]", "#{", ",", ";", ":", "\n", "//", "/*", "*/", "\\", "#\"",
        "\"#", " ", "x", "let x = ", "login", "login(", "fn f(", "1", "é", ".", "?.", "!", "|", "\u{0}", "login ",
        "\t", "--",
    ]);
    let noise = prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat());
    let forms = prop::sample::select(vec![
        "login(\"ada\", \"@\")",
        "login(\"ada\", #{password: \"@\"})",
        "login(#{user: \"ada\", password: `@`})",
        "\"ada\".login(\"@\")",
        "login ada @",
        "login ada \"@\"",
        "login --password @ ada",
        "login(\"ada\", @)",
        "login(\"ada\", '@')",
        "login(\"ada\", \"x\", \"@\")",
        "Fn(\"login\").call(\"ada\", \"@\")",
        "login(\"ada\", \"a\" + \"@\")",
        "login(\"ada\", `${\"@\"}`)",
        "login!(\"ada\", \"@\")",
        "login(\n  \"ada\",\n  \"@\"\n)",
        "login(\"ada\", #\"@\"#)",
        "login(#{pasword: \"@\"})",
        "// login(\"ada\", \"@\")",
        "login(\"ada\", (\"@\"))",
    ]);
    let secret = "Zq9hunter2secret";
    let mut runner = TestRunner::new(Config { cases: 1000, failure_persistence: None, ..Config::default() });
    let result = runner.run(&(noise.clone(), forms, noise), |(before, form, after)| {
        let text = format!("{before} {} {after}", form.replace('@', secret));
        let kept = shell.session().redacted(&text);
        prop_assert!(!kept.contains(secret), "{text:?} is kept as {kept:?}");
        if let admin_shell::Check::Wrong(failure) = shell.session().check(&text) {
            prop_assert!(!format!("{failure:?}").contains(secret), "{text:?} is told as {failure:?}");
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
