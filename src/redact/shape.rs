//! Shapes of well-known tokens: what gives itself away without a name.
//!
//! Each shape is a prefix and what must follow it. A prefix that is long or odd enough is looked for everywhere, also
//! inside a longer word; one that ordinary words contain (`sk-` in `task-list`) counts only where a word begins.

use super::span::Spans;

/// Which characters go on a token.
#[derive(Clone, Copy)]
enum Set {
    /// Letters and digits.
    Alnum,
    /// Letters, digits, `_`.
    Word,
    /// Letters, digits, `_`, `-`.
    Url,
    /// `Url` and `.`.
    Dotted,
    /// Standard and URL base 64.
    Base64,
    /// What a modular crypt string holds.
    Crypt,
    /// Upper-case letters and digits.
    Upper,
    /// Lower-case hexadecimal digits.
    Hex,
    /// Everything that ends neither a word nor a quotation.
    Graphic,
}

impl Set {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Word => byte.is_ascii_alphanumeric() || byte == b'_',
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
            Self::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'/' | b'='),
            Self::Crypt => {
                byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/' | b'$' | b'+' | b'=' | b',' | b'-' | b'_')
            }
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            Self::Graphic => byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\'),
        }
    }
}

/// Where a prefix counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    Anywhere,
    WordStart,
}

/// What else must hold, because the shape alone meets ordinary words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Also {
    Nothing,
    /// At least one digit and one letter.
    Mixed,
    /// Nothing of the set may follow after exactly the least length.
    Exact,
}

struct Shape(&'static str, Set, usize, Where, Also);

use Also::{Exact, Mixed, Nothing};
use Set::{Alnum, Base64, Crypt, Dotted, Graphic, Hex, Upper, Url, Word};
use Where::{Anywhere, WordStart};

/// Prefix, what follows, how much of it at least, where. Sorted by their first byte.
const SHAPES: &[Shape] = &[
    Shape("$1$", Crypt, 20, Anywhere, Nothing),
    Shape("$2a$", Crypt, 40, Anywhere, Nothing),
    Shape("$2b$", Crypt, 40, Anywhere, Nothing),
    Shape("$2x$", Crypt, 40, Anywhere, Nothing),
    Shape("$2y$", Crypt, 40, Anywhere, Nothing),
    Shape("$5$", Crypt, 30, Anywhere, Nothing),
    Shape("$6$", Crypt, 30, Anywhere, Nothing),
    Shape("$7$", Crypt, 30, Anywhere, Nothing),
    Shape("$y$", Crypt, 30, Anywhere, Nothing),
    Shape("$apr1$", Crypt, 20, Anywhere, Nothing),
    Shape("$argon2", Crypt, 20, Anywhere, Nothing),
    Shape("$pbkdf2", Crypt, 20, Anywhere, Nothing),
    Shape("$scrypt$", Crypt, 20, Anywhere, Nothing),
    Shape("1//0", Url, 30, WordStart, Nothing),
    Shape("ABIA", Upper, 16, WordStart, Exact),
    Shape("AC", Hex, 32, WordStart, Exact),
    Shape("ACCA", Upper, 16, WordStart, Exact),
    Shape("AGE-SECRET-KEY-", Url, 10, Anywhere, Nothing),
    Shape("AGPA", Upper, 16, WordStart, Exact),
    Shape("AIDA", Upper, 16, WordStart, Exact),
    Shape("AIza", Url, 30, Anywhere, Nothing),
    Shape("AKIA", Upper, 16, Anywhere, Nothing),
    Shape("ANPA", Upper, 16, WordStart, Exact),
    Shape("AROA", Upper, 16, WordStart, Exact),
    Shape("ASIA", Upper, 16, Anywhere, Nothing),
    Shape("ATATT3", Base64, 30, Anywhere, Nothing),
    Shape("ATBB", Alnum, 24, WordStart, Mixed),
    Shape("ATCTT3", Base64, 30, Anywhere, Nothing),
    Shape("CCIPAT_", Word, 20, Anywhere, Nothing),
    Shape("EAAA", Url, 40, WordStart, Mixed),
    Shape("FlyV1 ", Base64, 20, Anywhere, Nothing),
    Shape("GOCSPX-", Url, 20, Anywhere, Nothing),
    Shape("NRAK-", Upper, 20, Anywhere, Nothing),
    Shape("PMAK-", Url, 30, Anywhere, Nothing),
    Shape("SG.", Dotted, 30, WordStart, Mixed),
    Shape("SK", Hex, 32, WordStart, Exact),
    Shape("dapi", Hex, 32, WordStart, Nothing),
    Shape("dckr_pat_", Url, 20, Anywhere, Nothing),
    Shape("doo_v1_", Word, 30, Anywhere, Nothing),
    Shape("dop_v1_", Word, 30, Anywhere, Nothing),
    Shape("dor_v1_", Word, 30, Anywhere, Nothing),
    Shape("dp.pt.", Alnum, 30, WordStart, Nothing),
    Shape("figd_", Url, 30, WordStart, Nothing),
    Shape("fm2_", Base64, 30, WordStart, Mixed),
    Shape("github_pat_", Word, 20, Anywhere, Nothing),
    Shape("glagent-", Url, 20, Anywhere, Nothing),
    Shape("glcbt-", Url, 20, Anywhere, Nothing),
    Shape("gldt-", Url, 20, Anywhere, Nothing),
    Shape("glimt-", Url, 20, Anywhere, Nothing),
    Shape("glpat-", Dotted, 16, Anywhere, Nothing),
    Shape("glptt-", Url, 20, Anywhere, Nothing),
    Shape("glrt-", Url, 16, Anywhere, Nothing),
    Shape("glsa_", Word, 30, Anywhere, Nothing),
    Shape("glsoat-", Url, 16, Anywhere, Nothing),
    Shape("gsk_", Alnum, 30, WordStart, Mixed),
    Shape("hf_", Alnum, 30, WordStart, Nothing),
    Shape("hvb.", Url, 24, WordStart, Nothing),
    Shape("hvs.", Url, 24, WordStart, Nothing),
    Shape("key-", Hex, 32, WordStart, Exact),
    Shape("lin_api_", Alnum, 20, Anywhere, Nothing),
    Shape("nfp_", Alnum, 30, WordStart, Nothing),
    Shape("npm_", Alnum, 30, WordStart, Nothing),
    Shape("ntn_", Alnum, 30, WordStart, Nothing),
    Shape("ops_eyJ", Base64, 30, Anywhere, Nothing),
    Shape("otpauth://", Graphic, 4, Anywhere, Nothing),
    Shape("otpauth-migration://", Graphic, 4, Anywhere, Nothing),
    Shape("pbkdf2_sha", Crypt, 30, Anywhere, Nothing),
    Shape("pk_live_", Alnum, 8, Anywhere, Nothing),
    Shape("pk_test_", Alnum, 8, Anywhere, Nothing),
    Shape("pplx-", Alnum, 30, WordStart, Nothing),
    Shape("pypi-", Url, 30, WordStart, Mixed),
    Shape("r8_", Alnum, 30, WordStart, Nothing),
    Shape("rk_live_", Alnum, 8, Anywhere, Nothing),
    Shape("rk_test_", Alnum, 8, Anywhere, Nothing),
    Shape("rubygems_", Alnum, 30, Anywhere, Nothing),
    Shape("sbp_", Alnum, 30, WordStart, Nothing),
    Shape("secret_", Alnum, 40, WordStart, Mixed),
    Shape("shpat_", Alnum, 30, Anywhere, Nothing),
    Shape("shpca_", Alnum, 30, Anywhere, Nothing),
    Shape("shppa_", Alnum, 30, Anywhere, Nothing),
    Shape("shpss_", Alnum, 30, Anywhere, Nothing),
    Shape("sk-", Url, 20, WordStart, Mixed),
    Shape("sk_live_", Alnum, 8, Anywhere, Nothing),
    Shape("sk_test_", Alnum, 8, Anywhere, Nothing),
    Shape("sl.", Url, 80, WordStart, Mixed),
    Shape("sntrys_", Base64, 30, Anywhere, Nothing),
    Shape("sq0atp-", Url, 20, Anywhere, Nothing),
    Shape("sq0csp-", Url, 20, Anywhere, Nothing),
    Shape("tskey-", Url, 16, Anywhere, Nothing),
    Shape("whsec_", Base64, 20, Anywhere, Nothing),
    Shape("xai-", Alnum, 40, WordStart, Nothing),
    Shape("xapp-", Url, 16, WordStart, Mixed),
    Shape("xkeysib-", Url, 30, Anywhere, Nothing),
    Shape("ya29.", Url, 20, WordStart, Nothing),
    Shape("{SSHA}", Base64, 20, Anywhere, Nothing),
];

/// Finds every token with a shape of its own.
pub(super) fn find(text: &str, spans: &mut Spans) {
    let bytes = text.as_bytes();
    let mut at = 0;
    // An `eyJ` run without its dots is read once, not once for every `eyJ` in it.
    let mut no_jwt_before = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'e' if at >= no_jwt_before && bytes[at..].starts_with(b"eyJ") => {
                let end = json_web_token(bytes, at);
                if end.is_none() {
                    no_jwt_before = at + run(bytes, at, Url, usize::MAX);
                }
                end
            }
            b':' => telegram(bytes, at).map(|(start, end)| {
                spans.add(start..end);
                end
            }),
            b'g' if bytes[at..].starts_with(b"gh") => github(bytes, at),
            b'x' if bytes[at..].starts_with(b"xox") => slack(bytes, at),
            _ => None,
        };
        let end = end.or_else(|| by_table(bytes, at));
        match end {
            Some(end) => {
                spans.add(at..end);
                at = end;
            }
            None => at += 1,
        }
    }
    aws_secret_keys(bytes, spans);
}

fn by_table(bytes: &[u8], at: usize) -> Option<usize> {
    // Most bytes begin no prefix: one look decides, and one at the next byte for most of the rest.
    let (first, last) = BY_FIRST_BYTE[usize::from(bytes[at])];
    let second = *bytes.get(at + 1)?;
    SHAPES[usize::from(first)..usize::from(last)].iter().find_map(|Shape(prefix, set, least, place, also)| {
        if prefix.as_bytes()[1] != second || !bytes[at..].starts_with(prefix.as_bytes()) {
            return None;
        }
        if *place == WordStart && !begins_word(bytes, at) {
            return None;
        }
        let start = at + prefix.len();
        if run(bytes, start, *set, *least) < *least {
            return None;
        }
        // Decided by a bounded part: a token that does not fit is read again from the next byte.
        let fits = match also {
            Nothing => true,
            Mixed => {
                let token = &bytes[start..start + run(bytes, start, *set, 256)];
                token.iter().any(u8::is_ascii_digit) && token.iter().any(u8::is_ascii_alphabetic)
            }
            Exact => {
                let end = start + run(bytes, start, *set, *least + 1);
                end - start == *least && !bytes.get(end).is_some_and(|&byte| Word.has(byte))
            }
        };
        fits.then(|| start + run(bytes, start, *set, usize::MAX))
    })
}

/// Where the shapes whose prefix begins with a byte stand in the table.
static BY_FIRST_BYTE: [(u8, u8); 256] = {
    let mut table = [(0, 0); 256];
    let mut i = 0;
    while i < SHAPES.len() {
        let byte = SHAPES[i].0.as_bytes()[0] as usize;
        if table[byte].1 == 0 {
            table[byte].0 = i as u8;
        } else {
            assert!(table[byte].1 as usize == i, "shapes must be sorted by the first byte of their prefix");
        }
        i += 1;
        table[byte].1 = i as u8;
    }
    table
};

fn run(bytes: &[u8], start: usize, set: Set, most: usize) -> usize {
    bytes[start.min(bytes.len())..].iter().take(most).take_while(|&&byte| set.has(byte)).count()
}

/// Whether a word begins here. The `n` of an escaped `\n` is not part of the word after it.
pub(super) fn begins_word(bytes: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else { return true };
    if !Url.has(bytes[before]) {
        return true;
    }
    matches!(bytes[before], b'n' | b'r' | b't') && before > 0 && bytes[before - 1] == b'\\'
}

/// `ghp_`, `gho_`, `ghu_`, `ghs_`, `ghr_`.
fn github(bytes: &[u8], at: usize) -> Option<usize> {
    let kind = bytes.get(at + 2..at + 4)?;
    if !b"pousr".contains(&kind[0]) || kind[1] != b'_' || run(bytes, at + 4, Alnum, 20) < 20 {
        return None;
    }
    Some(at + 4 + run(bytes, at + 4, Word, usize::MAX))
}

/// `xoxb-`, `xoxp-` and their kin, `xoxe.xoxp-`.
fn slack(bytes: &[u8], at: usize) -> Option<usize> {
    let kind = bytes.get(at + 3..at + 5)?;
    let fits = kind[0].is_ascii_lowercase() && matches!(kind[1], b'-' | b'.') && run(bytes, at + 5, Url, 10) == 10;
    fits.then(|| at + 5 + run(bytes, at + 5, Dotted, usize::MAX))
}

/// `eyJ….eyJ….…`: three parts, or five when encrypted; the signature may be empty.
fn json_web_token(bytes: &[u8], at: usize) -> Option<usize> {
    let mut end = at + run(bytes, at, Url, usize::MAX);
    if end - at < 10 || bytes.get(end) != Some(&b'.') || run(bytes, end + 1, Url, 6) < 6 {
        return None;
    }
    for _ in 0..4 {
        if bytes.get(end) != Some(&b'.') {
            break;
        }
        end += 1 + run(bytes, end + 1, Url, usize::MAX);
    }
    Some(end)
}

/// `123456789:AA…`, seen from its colon.
fn telegram(bytes: &[u8], colon: usize) -> Option<(usize, usize)> {
    let digits = bytes[..colon].iter().rev().take(11).take_while(|byte| byte.is_ascii_digit()).count();
    let fits = (8..=10).contains(&digits) && bytes[colon..].starts_with(b":AA") && run(bytes, colon + 1, Url, 35) >= 33;
    fits.then(|| (colon - digits, colon + 1 + run(bytes, colon + 1, Url, usize::MAX)))
}

/// The secret half of an AWS key has no prefix: exactly 40 characters of base 64 that change their kind all the time.
///
/// Not an entropy rule: hexadecimal digests, TypeIDs and UUIDs have no upper case or another length, and names and paths
/// of that length change from lower to upper case or digit a few times, not half of the time.
fn aws_secret_keys(bytes: &[u8], spans: &mut Spans) {
    const LENGTH: usize = 40;
    let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let mut at = 0;
    while at < bytes.len() {
        let length = bytes[at..].iter().take_while(|&&byte| part(byte)).count();
        let token = &bytes[at..at + length];
        let alone = !bytes.get(at + length).is_some_and(|byte| matches!(byte, b'=' | b'_' | b'-'))
            && !at.checked_sub(1).is_some_and(|before| matches!(bytes[before], b'_' | b'-'));
        if length == LENGTH && alone && is_mixed(token) {
            spans.add(at..at + length);
        }
        at += length + 1;
    }
}

fn is_mixed(token: &[u8]) -> bool {
    let kind = |byte: u8| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let count = |wanted: u8| token.iter().filter(|&&byte| kind(byte) == wanted).count();
    let changes = token.windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count();
    count(0) >= 4 && count(1) >= 4 && count(2) >= 2 && changes >= 18
}
