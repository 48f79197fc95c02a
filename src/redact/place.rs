//! Places where secrets live whatever they look like: URLs, PEM blocks, `Bearer …` without its header, web hooks,
//! command lines of well-known programs.

use super::{name, shape::begins_word, span::Spans, value};

/// Longest name and password of a URL, and longest path of a hook, that is looked for.
const MAX_USERINFO: usize = 1024;

/// Addresses whose path is the credential.
const HOOKS: &[&str] = &[
    "hooks.slack.com/services/",
    "hooks.slack.com/workflows/",
    "hooks.slack.com/triggers/",
    "discord.com/api/webhooks/",
    "discordapp.com/api/webhooks/",
    "webhook.office.com/webhookb2/",
    "hooks.zapier.com/hooks/catch/",
    "api.telegram.org/bot",
];

/// Programs that take a password as `-p…`, `-a …` or `-u name:…`.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("mysql", &["-p"]),
    ("mysqldump", &["-p"]),
    ("mysqladmin", &["-p"]),
    ("mariadb", &["-p"]),
    ("sshpass", &["-p"]),
    ("redis-cli", &["-a"]),
    ("docker login", &["-p"]),
    ("ldapsearch", &["-w"]),
    ("curl", &["-u", "--user", "--proxy-user", "-U"]),
];

/// Finds every secret that its place gives away.
pub(super) fn find(text: &str, spans: &mut Spans) {
    // Most texts are short, and looking for one byte costs a tenth of looking for a word.
    let has = |byte: u8| text.as_bytes().contains(&byte);
    if has(b':') {
        if text.contains("://") {
            urls(text, spans);
            hooks(text, spans);
        }
        putty_key(text, spans);
    }
    if has(b'-') && text.contains("-----") {
        pem_blocks(text, spans);
    }
    if has(b'@') {
        go_dsn(text, spans);
    }
    if has(b' ') {
        identified_by(text, spans);
        schemes(text, spans);
        programs(text, spans);
    }
}

/// `scheme://name:password@host`. The password may hold `/`, `#` or `@` that should have been escaped.
fn urls(text: &str, spans: &mut Spans) {
    for (found, _) in text.match_indices("://") {
        let start = found + 3;
        let limit = floor(text, start + MAX_USERINFO);
        let rest = &text[start..limit];
        let word = &rest[..rest.find(ends_url).unwrap_or(rest.len())];
        let authority = &word[..word.find(['/', '?', '#']).unwrap_or(word.len())];
        let userinfo = match authority.rfind('@') {
            Some(at) => &word[..at],
            // `user:pa/ss@host`: what follows the colon is no port, so it is a password.
            None if has_odd_port(authority) => match word.rfind('@') {
                Some(at) => &word[..at],
                None => continue,
            },
            None => continue,
        };
        mask_userinfo(userinfo, start, spans);
    }
}

fn mask_userinfo(userinfo: &str, start: usize, spans: &mut Spans) {
    // With a bare flag for a password, or none, the name is the token.
    let is_token =
        |name: &str| name.len() >= 20 || (name.len() >= 12 && name.bytes().any(|byte| byte.is_ascii_digit()));
    match userinfo.split_once(':') {
        Some((name, "" | "x-oauth-basic" | "x-token-auth")) if is_token(name) => spans.add(start..start + name.len()),
        Some((_, password)) if value::is_placeholder(password) => {}
        Some((name, password)) => {
            let start = start + name.len() + 1;
            spans.add(start..start + password.len());
        }
        None if is_token(userinfo) && !value::is_placeholder(userinfo) => spans.add(start..start + userinfo.len()),
        None => {}
    }
}

fn has_odd_port(authority: &str) -> bool {
    // An IPv6 address in brackets is full of colons that mean no port.
    !authority.starts_with('[')
        && authority.split_once(':').is_some_and(|(_, port)| !port.bytes().all(|byte| byte.is_ascii_digit()))
}

fn ends_url(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>' | '\\' | '|')
}

fn hooks(text: &str, spans: &mut Spans) {
    for hook in HOOKS {
        for (found, _) in text.match_indices(hook) {
            let start = found + hook.len();
            let rest = &text[start..floor(text, start + MAX_USERINFO)];
            spans.add(start..start + rest.find(ends_url).unwrap_or(rest.len()));
        }
    }
}

/// `user:password@tcp(host)/database`, the form of Go's MySQL driver.
fn go_dsn(text: &str, spans: &mut Spans) {
    for mark in ["@tcp(", "@unix("] {
        for (at, _) in text.match_indices(mark) {
            let from = ceil(text, at.saturating_sub(256));
            let before = &text[from..at];
            let word = from + before.rfind(ends_url).map_or(0, |i| i + 1);
            if let Some(colon) = text[ceil(text, word)..at].find(':') {
                spans.add(ceil(text, word) + colon + 1..at);
            }
        }
    }
}

/// `CREATE USER ada IDENTIFIED BY '…'`.
fn identified_by(text: &str, spans: &mut Spans) {
    for by in ["IDENTIFIED BY ", "identified by "] {
        for (found, _) in text.match_indices(by) {
            if let Some(quote) = value::Quote::open(text.as_bytes(), found + by.len()) {
                let (end, _) = quote.close(text.as_bytes());
                spans.add(quote.start..end);
            }
        }
    }
}

/// `-----BEGIN … PRIVATE KEY-----` to its end, or to the end of the text when it was cut off.
fn pem_blocks(text: &str, spans: &mut Spans) {
    const BEGIN: &str = "-----BEGIN ";
    const END: &str = "-----END ";
    let mut at = 0;
    while let Some(found) = text[at..].find("-----") {
        let start = at + found;
        let rest = &text[start..];
        let is_private = |marker: &str| {
            let label = &rest[marker.len()..floor(rest, marker.len() + 64)];
            label.find("-----").map(|end| &label[..end]).is_some_and(|label| label.contains("PRIVATE KEY"))
        };
        if rest.starts_with(BEGIN) && is_private(BEGIN) {
            let end = match rest.find(END) {
                Some(end) => {
                    let label = start + end + END.len();
                    text[label..].find("-----").map_or(text.len(), |close| label + close + 5)
                }
                None => text.len(),
            };
            spans.add(start..end);
            at = end;
        } else if rest.starts_with(END) && is_private(END) {
            // The beginning was cut off: the lines before it are key all the same.
            let body = text[at..start].bytes().rev().take_while(|&byte| is_pem_body(byte)).count();
            spans.add(start - body..start);
            at = start + 5;
        } else {
            at = start + 5;
        }
    }
}

fn is_pem_body(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\n' | b'\r' | b'\\')
}

fn putty_key(text: &str, spans: &mut Spans) {
    if let Some(found) = text.find("Private-Lines:") {
        let start = found + "Private-Lines:".len();
        let end = text[start..].find("Private-MAC:").map_or(text.len(), |end| start + end);
        spans.add(start..end);
    }
}

/// `Bearer …` and `Basic …` wherever they stand: a credential, unless an ordinary word follows.
fn schemes(text: &str, spans: &mut Spans) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|byte| matches!(byte, b'b' | b'B')) {
        let start = at + found;
        at = start + 1;
        let Some(scheme) = ["bearer ", "basic "].iter().find(|scheme| {
            bytes.get(start..start + scheme.len()).is_some_and(|word| word.eq_ignore_ascii_case(scheme.as_bytes()))
        }) else {
            continue;
        };
        let begin = start + scheme.len();
        let length = bytes[begin..].iter().take_while(|&&byte| is_credential(byte)).count();
        let token = &bytes[begin..begin + length];
        let odd = token.iter().any(u8::is_ascii_digit)
            || token.ends_with(b"=")
            || token.windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
        if begins_word(bytes, start) && length >= 8 && odd {
            spans.add(begin..begin + length);
        }
        at = begin;
    }
}

fn is_credential(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b'+' | b'/' | b'-' | b'=')
}

/// `mysql -pSECRET`, `sshpass -p SECRET`, `curl -u name:SECRET`.
fn programs(text: &str, spans: &mut Spans) {
    if !text.contains(" -") {
        return;
    }
    for (program, flags) in PROGRAMS {
        for (found, _) in text.match_indices(program) {
            let end = found + program.len();
            if !begins_word(text.as_bytes(), found) || !text[end..].starts_with(' ') {
                continue;
            }
            let line = &text[end..floor(text, end + 512)];
            let line = &line[..line.find(['\n', '|', ';']).unwrap_or(line.len())];
            for flag in *flags {
                flagged(text, end, line, flag, spans);
            }
        }
    }
}

fn flagged(text: &str, offset: usize, line: &str, flag: &str, spans: &mut Spans) {
    for (found, _) in line.match_indices(flag) {
        if !line[..found].ends_with(' ') {
            continue;
        }
        let after = found + flag.len();
        let glued = line[after..].chars().next().is_some_and(|c| c != ' ' && c != '=');
        // `mysql -p name`: the password is asked for, and `name` is the database.
        let wants_glued = text[..offset].ends_with("mysql") || text[..offset].ends_with("dump");
        if flag.len() > 2 && glued || wants_glued && !glued {
            continue;
        }
        let start = after + line[after..].len() - line[after..].trim_start_matches([' ', '=']).len();
        let word = &line[start..];
        let (skip, end) = match word.chars().next() {
            Some(quote @ ('"' | '\'')) => (1, word[1..].find(quote).map_or(word.len(), |end| end + 1)),
            _ => {
                (0, word.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ')')).unwrap_or(word.len()))
            }
        };
        let secret = &word[skip..end];
        let names_a_user = matches!(flag, "-u" | "-U" | "--user" | "--proxy-user");
        let start = offset + start + skip;
        match secret.split_once(':') {
            Some((user, password)) if names_a_user && !value::is_placeholder(password) => {
                spans.add(start + user.len() + 1..start + secret.len());
            }
            _ if names_a_user || value::is_placeholder(secret) || name::is_secret(flag) => {}
            _ => spans.add(start..start + secret.len()),
        }
    }
}

/// The nearest character boundary at or before.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The nearest character boundary at or after.
fn ceil(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}
