//! Arguments of programs as lists hold them: `["-phunter2"]`, `["-u", "ada:hunter2"]`, `"sshpass", ["-p", "hunter2"]`.
//!
//! A list does not always say whose arguments it holds, so `-p` with something glued to it is taken for a password
//! unless it reads as a port or as an option with a longer name; alone, it is one for the programs that mean it so.

use std::ops::Range;

use super::{
    span::Spans,
    value::{self, Quote},
};

/// Options whose argument is a name and a password.
const USERS: &[&str] = &["-u", "-U", "--user", "--proxy-user"];

/// Programs, and the option whose argument is a password.
const PASSWORDS: &[(&str, &str)] =
    &[("sshpass", "-p"), ("login", "-p"), ("redis-cli", "-a"), ("ldapsearch", "-w"), ("smbclient", "-U")];

/// Programs whose `-p` is never anything else than a password, also when it is a number.
const GLUED: &[&str] = &["mysql", "mysqldump", "mysqladmin", "mariadb", "sshpass"];

/// What follows `-p` in options with a longer name.
#[rustfmt::skip]
const LONGER: &[&str] = &[
    "ackage", "aginate", "arallel", "arents", "assword", "ath", "atch", "attern", "eer", "erf", "erm", "id", "ipe",
    "latform", "lugin", "lugins", "ort", "ostfix", "refix", "reserve", "retty", "rint", "rintf", "riority", "rofile",
    "rogress", "roject", "roperty", "rotocol", "rovider", "roxy", "rune", "ublic", "ublish", "ull", "ush",
];

/// How far back a program is looked for.
const LOOK: usize = 512;

/// Finds the secrets of quoted arguments in a text.
pub(super) fn find(text: &str, spans: &mut Spans) {
    let bytes = text.as_bytes();
    for (dash, _) in text.match_indices('-') {
        let quoted = dash.checked_sub(1).is_some_and(|at| matches!(bytes[at], b'"' | b'\'' | b'`'));
        if !quoted {
            continue;
        }
        let slashes = bytes[..dash - 1].iter().rev().take(15).take_while(|byte| **byte == b'\\').count();
        let Some(quote) = Quote::open(bytes, dash - 1 - slashes).filter(|quote| quote.start == dash) else { continue };
        let (end, after) = quote.close(bytes);
        let before = &text[ceil(text, dash.saturating_sub(LOOK))..dash];
        let item = &text[dash..end];
        if let Some(secret) = in_argument(before, None, item) {
            spans.add(dash + secret.start..dash + secret.end);
        }
        let gap = bytes[after..].iter().take(64).take_while(|byte| b" \t\r\n,".contains(byte)).count();
        let next = Quote::open(bytes, after + gap).filter(|_| bytes[after..after + gap].contains(&b','));
        if let Some(next) = next {
            let (end, _) = next.close(bytes);
            if let Some(secret) = in_argument(before, Some(item), &text[next.start..end]) {
                spans.add(next.start + secret.start..next.start + secret.end);
            }
        }
    }
}

/// The secret in one argument: `before` is what stands before it, `option` the argument right before it.
pub(super) fn in_argument(before: &str, option: Option<&str>, item: &str) -> Option<Range<usize>> {
    let all = 0..item.len();
    if let Some(option) = option {
        if PASSWORDS.iter().any(|(program, flag)| *flag == option && names(before, program)) {
            return Some(all).filter(|_| !value::is_placeholder(item) && !item.is_empty());
        }
        return if USERS.contains(&option) { password_of(item, 0) } else { None };
    }
    if let Some(glued) = item.strip_prefix("-p").filter(|glued| !glued.is_empty()) {
        let is_port = glued.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'/' | b'-'));
        let word = &glued[..glued.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(glued.len())];
        let other = is_port || LONGER.contains(&word);
        let is_password = GLUED.iter().any(|program| names(before, program)) || !other;
        let start = 2 + usize::from(glued.starts_with('='));
        return Some(start..item.len()).filter(|_| is_password && !value::is_placeholder(&item[start..]));
    }
    let glued = ["--user=", "--proxy-user=", "-u", "-U"].iter().find(|flag| item.starts_with(*flag))?;
    password_of(&item[glued.len()..], glued.len())
}

/// Whether a text is the name or path of a program that takes a password as an argument.
pub(super) fn is_program(text: &str) -> bool {
    let name = text.rsplit('/').next().unwrap_or(text);
    GLUED.contains(&name) || PASSWORDS.iter().any(|(program, _)| *program == name)
}

/// The password of `name:password`; user and group ids are none.
fn password_of(text: &str, offset: usize) -> Option<Range<usize>> {
    let (name, password) = text.split_once(':')?;
    let is_id = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_none = value::is_placeholder(password) || password.starts_with("//") || is_id(name) && is_id(password);
    (!is_none).then(|| offset + name.len() + 1..offset + text.len())
}

/// Whether a program is named as a whole word.
fn names(text: &str, program: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    text.match_indices(program)
        .any(|(at, _)| !text[..at].ends_with(is_word) && !text[at + program.len()..].starts_with(is_word))
}

fn ceil(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::super::Redactor;

    #[track_caller]
    fn masks(text: &str, expected: &str) {
        let kept = Redactor::default().text(&text.replace('@', "hunter22"));
        assert_eq!(kept.as_str(), expected.replace('@', "[redacted]"), "{text}");
    }

    #[test]
    fn passwords_in_lists() {
        for text in [
            r#"submit("n", "mysql", ["-p@"])"#,
            r#"submit("n", "mysql", ["-u", "root", "-p@", "db"])"#,
            r#"submit("n", "curl", ["-u", "ada:@", "https://h"])"#,
            r#"submit("n", "curl", ["--user=ada:@"])"#,
            r#"submit("n", "curl", ["-uada:@"])"#,
            r#"submit("n", "sshpass", ["-p", "@", "ssh", "h"])"#,
            r#"submit("n", "docker", ["login", "-u", "ada", "-p", "@"])"#,
            r#"submit("n", "x", ["--password", "@"])"#,
            r#"submit("n", "x", ["--password=@"])"#,
            r#"submit("n", "x", ["--token", "@"])"#,
            r#"submit n x '["-p@"]'"#,
            r#"{"args":"[\"-p@\",\"x\"]"}"#,
        ] {
            masks(text, text);
        }
    }

    #[test]
    fn what_is_none_stays() {
        for text in [
            r#"["-p", "8080:80"]"#,
            r#"["-p8080:80"]"#,
            r#"["-p2222"]"#,
            r#"["-print0", "-prune", "-path", "./x"]"#,
            r#"["-u", "1000:1000"]"#,
            r#"["-u", "ada"]"#,
            r#"["mkdir", "-p", "/srv/x"]"#,
            r#"["-p"]"#,
        ] {
            assert_eq!(Redactor::default().text(text).as_str(), text);
        }
    }
}
