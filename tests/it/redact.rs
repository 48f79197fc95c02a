//! The redactor against a corpus of lines, and against chance.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use admin_shell::redact::{MASK, Redactor, Rule};
use proptest::prelude::*;

/// Tokens that no real service ever made, built here so that no file holds one.
fn tokens() -> Vec<(&'static str, String)> {
    let letters = |n: usize| "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY".chars().cycle().take(n).collect::<String>();
    let upper = |n: usize| "Q7PZ2MXK".chars().cycle().take(n).collect::<String>();
    let hex = |n: usize| "0a1b2c3d4e5f6789".chars().cycle().take(n).collect::<String>();
    let pem = |newline: &str| {
        let body = letters(64);
        [
            "-----BEGIN RSA PRIVATE",
            " KEY-----",
            newline,
            &body,
            newline,
            &body,
            newline,
            "-----END RSA PRIVATE",
            " KEY-----",
        ]
        .concat()
    };
    vec![
        ("AKIA", ["AK", "IA", &upper(16)].concat()),
        ("ASIA", ["AS", "IA", &upper(16)].concat()),
        ("AWS_SECRET", ["wJ4l/Xr", &letters(33)].concat()),
        ("GHP", ["gh", "p_", &letters(36)].concat()),
        ("GHO", ["gh", "o_", &letters(36)].concat()),
        ("GHPAT", ["github", "_pat_", &letters(22), "_", &letters(59)].concat()),
        ("GLPAT", ["gl", "pat-", &letters(20)].concat()),
        ("SLACK", ["xo", "xb-", "123456789012-123456789012-", &letters(24)].concat()),
        ("HOOK", ["hooks.sl", "ack.com/services/"].concat()),
        ("STRIPE", ["sk", "_live_", &letters(24)].concat()),
        ("STRIPE_TEST", ["rk", "_test_", &letters(24)].concat()),
        ("STRIPE_PK", ["pk", "_live_", &letters(24)].concat()),
        ("GOOGLE", ["AI", "za", &letters(35)].concat()),
        ("OPENAI", ["s", "k-proj-", &letters(40)].concat()),
        ("ANTHROPIC", ["s", "k-ant-api03-", &letters(80)].concat()),
        ("NPM", ["np", "m_", &letters(36)].concat()),
        ("PYPI", ["py", "pi-AgEI", &letters(60)].concat()),
        ("TWILIO", ["A", "C", &hex(32)].concat()),
        ("TWILIO_SK", ["S", "K", &hex(32)].concat()),
        ("SENDGRID", ["S", "G.", &letters(22), ".", &letters(43)].concat()),
        ("TELEGRAM", ["123456789", ":A", "A", &letters(33)].concat()),
        ("BASE64", letters(86)),
        ("JWT", ["ey", "J", &letters(20), ".ey", "J", &letters(40), ".", &letters(43)].concat()),
        ("PEM", pem("\n")),
        ("PEM_JSON", pem("\\n")),
        ("AGE", ["AGE-SECRET", "-KEY-1", &upper(58)].concat()),
        ("BCRYPT", ["$2", "b$12$", &letters(53)].concat()),
        ("ARGON", ["$arg", "on2id$v=19$m=19456,t=2,p=1$", &letters(22), "$", &letters(43)].concat()),
        ("HVS", ["hv", "s.", &letters(90)].concat()),
        ("SHOPIFY", ["shp", "at_", &hex(32)].concat()),
        ("DOCKER", ["dckr", "_pat_", &letters(27)].concat()),
    ]
}

fn expand(line: &str) -> String {
    let mut line = line.replace('█', MASK).replace('␤', "\n");
    for (name, token) in tokens() {
        line = line.replace(&format!("{{{name}}}"), &token);
    }
    line
}

#[test]
fn corpus() {
    let redactor = Redactor::default();
    let corpus = include_str!("../fixtures/secrets.txt");
    let cases: Vec<_> = corpus.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")).collect();
    assert!(cases.len() >= 150, "the corpus shrank to {}", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let (input, output) = case.split_once(" → ").unwrap_or((case, case));
        let (input, output) = (expand(input), expand(output));
        let redacted = redactor.text(&input).into_string();
        if redacted != output {
            wrong.push(format!("  input {input}\n  wants {output}\n  gives {redacted}\n"));
        }
        let again = redactor.text(&redacted).into_string();
        if again != redacted {
            wrong.push(format!("  twice {redacted}\n  gives {again}\n"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn rules_of_a_component() {
    let rules = vec![Rule::new(r"ticket-(?<secret>\d+)").unwrap(), Rule::new("sesame").unwrap()];
    let redactor = Redactor::new(rules);
    assert_eq!(redactor.text("open sesame ticket-42!").as_str(), "open [redacted] ticket-[redacted]!");
    assert!(Rule::new("(").is_err());
}

#[test]
fn ranges_that_the_caller_knows() {
    let redactor = Redactor::default();
    let text = "unlock(\"grüße\", 7)";
    let argument = 8..15;
    assert_eq!(redactor.text_with_spans(text, &[argument]).as_str(), "unlock(\"[redacted]\", 7)");
    // Inside `ü`, overlapping, out of order, and beyond the end.
    let odd = [11..12, 8..9, 8..11, 400..500, 17..usize::MAX];
    assert_eq!(redactor.text_with_spans(text, &odd).as_str(), "unlock(\"[redacted]ße\",[redacted]");
}

#[test]
fn remembered_values_are_masked_wherever_they_appear() {
    let redactor = Redactor::default();
    redactor.clone().remember("s3cr\"et/x");
    redactor.remember("abc");
    redactor.remember("acted");
    assert_eq!(redactor.text("it was s3cr\"et/x!").as_str(), "it was [redacted]!");
    assert_eq!(redactor.text(r#"{"a": "s3cr\"et/x"}"#).as_str(), r#"{"a": "[redacted]"}"#);
    assert_eq!(redactor.text("/q?x=s3cr%22et%2Fx").as_str(), "/q?x=[redacted]");
    assert_eq!(redactor.text("abc is too short, reacted is a word").as_str(), "abc is too short, reacted is a word");
    assert!(!format!("{redactor:?}").contains("s3cr"), "Debug shows a secret");
    assert_eq!(Redactor::default().text("s3cr\"et/x").as_str(), "s3cr\"et/x");
}

#[test]
fn time_is_linear_on_hostile_text() {
    let redactor = Redactor::default();
    let seeds = [
        "password=",
        "password=\"",
        "secret:{",
        "tokens=[",
        "eyJ",
        "eyJ.",
        "://a:b/",
        "-----BEGIN PRIVATE KEY-----",
        "\\\"",
        "token=\"$(",
        "password: ${",
        "a,",
        "api ",
        "Bearer ",
        "<password>",
        "\u{200b}",
        "--token ",
        "@tcp(",
        "mysql -p",
        "secret=a+",
        "\"password\",",
        "password: |\n  ",
        "password='`\"",
        "1:AA",
        "token=f(",
        "token=/*",
        "SG.",
        "hooks.slack.com/services/",
        "set_token(",
        "set_token(\"",
        "a;password=b c",
        "password for ",
        "IDENTIFIED BY 'a",
        "cookie: is ",
        "let cookie = a(",
        "AC0",
        "password is ",
        "token=!",
        "secret=new ",
        "new ",
        "!a ",
        "secret: !a secret: ",
        "x=\\\\\\\"",
    ];
    for seed in seeds {
        let time = |bytes: usize| {
            let text = seed.repeat(bytes / seed.len());
            let start = Instant::now();
            black_box(redactor.text(&text));
            start.elapsed()
        };
        // 16 times the text: linear is 16 times the time, quadratic 256. Three attempts, for a machine that is busy.
        let is_linear = |_| time(128 * 1024) < time(8 * 1024).max(Duration::from_micros(500)) * 100;
        assert!((0..3).any(is_linear), "{seed:?}");
    }
}

/// Text that is more likely than chance to upset the scanner.
fn noise() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -~]{0,12}",
        "\\PC{0,4}",
        prop::sample::select(vec![
            "password",
            "token",
            "=",
            ": ",
            "\"",
            "'",
            "`",
            "\\",
            "\\\"",
            "#{",
            "[",
            "]",
            "}",
            "\n",
            "://",
            "@",
            "-----BEGIN ",
            "PRIVATE KEY-----",
            "Bearer ",
            "Authorization: ",
            "eyJ",
            ".",
            "$",
            "${",
            "<",
            ">",
            "--",
            "&",
            "?sig=",
            ",",
            ";",
            "[redacted]",
            "\u{200b}",
            "\u{1b}[31m",
            "|\n  ",
            "curl -u a:",
            "é",
            "\0",
            "+ \"",
            "value: ",
            "r#\"",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn redacting_twice_changes_nothing_more(text in noise()) {
        let redactor = Redactor::default();
        let once = redactor.text(&text).into_string();
        prop_assert_eq!(redactor.text(&once).into_string(), once);
    }

    #[test]
    fn a_planted_token_never_survives(before in noise(), after in noise(), pick in 0_usize..100) {
        let shapes: Vec<_> =
            tokens().into_iter().filter(|(name, _)| !["HOOK", "BASE64"].contains(name)).collect();
        let (name, token) = &shapes[pick % shapes.len()];
        let text = format!("{before} {token} {after}");
        let redacted = Redactor::default().text(&text).into_string();
        // Its middle, because a rule may keep the words that show what it was.
        let middle = &token[token.len() / 3..token.len() / 3 + 12];
        prop_assert!(!redacted.contains(middle), "{} in {:?} gives {:?}", name, text, redacted);
    }

    #[test]
    fn a_planted_assignment_never_survives(
        before in "[a-z0-9 ,;(]{0,20}",
        form in prop::sample::select(vec![
            "let password = \"@\"", "#{password: \"@\"}", "password: @", "{\"api_key\": \"@\"}", "--password @", "--token=@",
            "PGPASSWORD=@ cmd", "export AWS_SECRET_ACCESS_KEY=@", "Authorization: Bearer @", "Cookie: sid=@", "X-Api-Key: @",
            "postgres://user:@@host/db", "https://x.example/?token=@&n=1", "<secret>@</secret>", "client_secret='@'",
            "set(\"password\", `@`)", "\"{\\\"secret\\\": \\\"@\\\"}\"",
        ]),
        secret in "[A-Z][a-z0-9]{6,20}Zq9",
        after in "[a-z0-9 ]{0,20}",
    ) {
        let text = format!("{before} {} {after}", form.replacen('@', &secret, 1));
        let redacted = Redactor::default().text(&text).into_string();
        prop_assert!(!redacted.contains(&secret), "{:?} gives {:?}", text, redacted);
    }
}
