//! The redactor against a corpus of lines, and against chance.

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
