//! Times from outside: RFC 3339, but exactly.
//!
//! Upper-case `T`; zone `Z` or ±hh:mm; seconds required and never 60; digits after the sixth are cut; years 0001..=9999.
//! jiff's own parser takes more (lower case, spaces, basic format, zones in brackets, leap seconds), and two trackers
//! that disagree about what is valid would disagree about what is recorded. So the text is read here.

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::Offset,
};

use super::Invalid;

/// A time with up to this many characters is read: six digits count, a few hundred more do no harm.
const MAX_CHARACTERS: usize = 256;

/// RFC 3339 as the module says.
pub(crate) fn check_timestamp(field: &'static str, text: &str) -> Result<Timestamp, Invalid> {
    read(text).ok_or_else(|| {
        Invalid::new(
            field,
            "must be RFC 3339 with an upper-case `T`, seconds and a zone, for example 2026-02-06T12:34:56Z, \
             in the years 0001 to 9999",
        )
    })
}

/// The one form that sealed events have: UTC, six digits, `Z`.
pub(crate) fn check_sealed_timestamp(field: &'static str, text: &str) -> Result<Timestamp, Invalid> {
    let sealed = text.len() == 27 && text.as_bytes()[19] == b'.' && text.ends_with('Z');
    read(text).filter(|_| sealed).ok_or_else(|| {
        Invalid::new(field, "must be RFC 3339 in UTC with six digits and `Z`, for example 2026-02-06T12:34:56.000000Z")
    })
}

fn read(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    if bytes.len() > MAX_CHARACTERS || !has_form(bytes, b"dddd-dd-ddTdd:dd:dd") {
        return None;
    }
    let (micros, zone) = fraction(&bytes[19..])?;
    let date = Date::new(number(&bytes[..4])?, number(&bytes[5..7])?, number(&bytes[8..10])?).ok()?;
    let (hour, minute, second) = (number(&bytes[11..13])?, number(&bytes[14..16])?, number(&bytes[17..19])?);
    let time = Time::new(hour, minute, second, micros * 1000).ok()?;
    let offset = Offset::from_seconds(offset_seconds(zone)?).ok()?;
    if date.year() < 1 {
        return None;
    }
    let Ok(timestamp) = offset.to_timestamp(DateTime::from_parts(date, time)) else {
        // jiff ends 26 hours before the year 9999 does, to leave room for zones. These hours are valid (people write
        // "for ever" like that) and are read as the last second there is; the text of an event keeps what it said.
        return if date.year() == 9999 { Timestamp::from_second(Timestamp::MAX.as_second()).ok() } else { None };
    };
    let year = Offset::UTC.to_datetime(timestamp).year();
    // Whole microseconds do not reach into jiff's last second, so what lies there is its beginning.
    let timestamp = Timestamp::from_microsecond(timestamp.as_microsecond());
    (1..=9999)
        .contains(&year)
        .then(|| timestamp.or_else(|_| Timestamp::from_second(Timestamp::MAX.as_second())).ok())?
}

fn has_form(bytes: &[u8], form: &[u8]) -> bool {
    bytes.len() > form.len()
        && bytes.iter().zip(form).all(|(byte, form)| if *form == b'd' { byte.is_ascii_digit() } else { byte == form })
}

/// Microseconds, and what follows them.
fn fraction(rest: &[u8]) -> Option<(i32, &[u8])> {
    let Some((b'.', rest)) = rest.split_first() else { return Some((0, rest)) };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    let micros =
        (0..6).fold(0, |micros, i| micros * 10 + rest[..digits].get(i).map_or(0, |byte| i32::from(byte - b'0')));
    Some((micros, &rest[digits..]))
}

fn offset_seconds(zone: &[u8]) -> Option<i32> {
    let sign = match zone.first()? {
        b'Z' => return (zone.len() == 1).then_some(0),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = zone.len() == 6 && zone[3] == b':' && zone[1..3].iter().chain(&zone[4..]).all(u8::is_ascii_digit);
    if !digits {
        return None;
    }
    let (hours, minutes): (i32, i32) = (number(&zone[1..3])?, number(&zone[4..])?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

fn number<N: std::str::FromStr>(digits: &[u8]) -> Option<N> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests {
    use super::*;

    #[test]
    fn valid() {
        for (text, wants) in [
            ("2026-02-06T12:34:56Z", "2026-02-06T12:34:56.000000Z"),
            ("2026-02-06T12:34:56.1234569Z", "2026-02-06T12:34:56.123456Z"),
            ("2026-02-06T12:34:56.5+01:30", "2026-02-06T11:04:56.500000Z"),
            ("2026-02-06T00:00:00-23:59", "2026-02-06T23:59:00.000000Z"),
            ("2026-02-06T00:00:00-00:00", "2026-02-06T00:00:00.000000Z"),
            ("2024-02-29T23:59:59.999999999Z", "2024-02-29T23:59:59.999999Z"),
            ("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
            ("9999-12-30T00:00:00Z", "9999-12-30T00:00:00.000000Z"),
            ("9999-12-30T22:00:00.5Z", "9999-12-30T22:00:00.000000Z"),
            ("9999-12-31T23:59:59Z", "9999-12-30T22:00:00.000000Z"),
        ] {
            let time = check_timestamp("timestamp", text).unwrap_or_else(|wrong| panic!("{text}: {wrong}"));
            assert_eq!(format!("{time:.6}"), wants, "{text}");
        }
    }

    #[test]
    fn invalid() {
        for text in [
            "",
            "2026-02-06",
            "2026-02-06T12:34:56",
            "2026-02-06t12:34:56Z",
            "2026-02-06T12:34:56z",
            "2026-02-06 12:34:56Z",
            "2026-02-06T12:34Z",
            "2026-02-06T12:34:60Z",
            "2016-12-31T23:59:60Z",
            "2026-02-06T24:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-02-06T12:34:56.Z",
            "2026-02-06T12:34:56,5Z",
            "20260206T123456Z",
            "2026-02-06T12:34:56+0100",
            "2026-02-06T12:34:56+01",
            "2026-02-06T12:34:56+24:00",
            "2026-02-06T12:34:56+01:60",
            "2026-02-06T12:34:56Z[UTC]",
            "2026-02-06T12:34:56Z ",
            " 2026-02-06T12:34:56Z",
            "+002026-02-06T12:34:56Z",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+00:01",
            "2026-W06-5T12:34:56Z",
            "2026-02-06T12:34:56ZZ",
            "2026-02-06T12:34:56\u{2212}01:00",
            "２026-02-06T12:34:56Z",
            "2026-02-06T+1:34:56Z",
        ] {
            assert!(check_timestamp("timestamp", text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn sealed() {
        assert!(check_sealed_timestamp("timestamp", "2026-02-06T12:34:56.000000Z").is_ok());
        for text in [
            "2026-02-06T12:34:56Z",
            "2026-02-06T12:34:56.0000000Z",
            "2026-02-06T12:34:56.0+00:00",
            "2026-02-06T12:34:56.00+01:00",
        ] {
            assert!(check_sealed_timestamp("timestamp", text).is_err(), "{text}");
        }
    }
}
