//! Times and lengths of time, as they are given on the command line and as people read them.

use std::time::Duration;

use admin_shell::Timespan;
use jiff::{Timestamp, Zoned, civil, tz::TimeZone};

/// Reads a point in time: RFC 3339, a local date or date and time, or a length of time ago.
pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Ok(timestamp);
    }
    let local = |at: civil::DateTime| at.to_zoned(TimeZone::system()).map(|zoned| zoned.timestamp());
    // A date alone is not read by `DateTime`: "2026-02-30" has to fail as a date, not as a length of time.
    if let Ok(at) = text.parse::<civil::DateTime>() {
        return local(at).map_err(|error| error.to_string());
    }
    let ago = Timespan::parse(text).ok().filter(|_| text.ends_with(|last: char| last.is_ascii_alphabetic()));
    let then = ago.and_then(|Timespan(ago)| Timestamp::now().checked_sub(ago).ok());
    then.ok_or_else(|| {
        "must be RFC 3339 (2026-03-01T12:00:00Z), a date (2026-03-01), or a time ago (7d, 1h30m)".to_owned()
    })
}

/// Reads a length of time: seconds, or text such as `1h30m`.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    Timespan::parse(text)
        .map(|Timespan(length)| length)
        .map_err(|_| "must be seconds, or text such as 7d or 1h30m".to_owned())
}

/// Local time to the second, with its offset: `2026-03-01 12:00:00 +01:00`.
pub(crate) fn full(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// Local time as `ls` has it: `Mar  1 12:00`, and the year where it is not this one.
pub(crate) fn short(at: Timestamp) -> String {
    let (at, now) = (at.to_zoned(TimeZone::system()), Zoned::now());
    let form = if at.year() == now.year() { "%b %e %H:%M" } else { "%b %e  %Y" };
    at.strftime(form).to_string()
}

/// Local time of day with milliseconds.
pub(crate) fn of_day(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%H:%M:%S%.3f").to_string()
}

/// Local time to the millisecond, without the year: `Mar  1 12:00:00.250`.
pub(crate) fn exact(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%b %e %H:%M:%S%.3f").to_string()
}

/// A length of time in two units at most: `7ms`, `3.2s`, `12s`, `3m20s`, `2h05m`, `4d3h`.
pub(crate) fn length(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return String::new();
    }
    if seconds < 1.0 {
        return format!("{:.0}ms", (seconds * 1_000.0).min(999.0));
    }
    if seconds < 10.0 {
        return format!("{seconds:.1}s");
    }
    let whole = Duration::from_secs_f64(seconds.min(1e15)).as_secs();
    match whole {
        0..60 => format!("{whole}s"),
        60..3_600 => format!("{}m{:02}s", whole / 60, whole % 60),
        3_600..86_400 => format!("{}h{:02}m", whole / 3_600, whole % 3_600 / 60),
        _ => format!("{}d{}h", whole / 86_400, whole % 86_400 / 3_600),
    }
}

/// The same for the microseconds that commands take: `340µs`, `12ms`, `1.2s`.
pub(crate) fn length_us(us: u64) -> String {
    match us {
        0..1_000 => format!("{us}µs"),
        1_000..1_000_000 => format!("{}ms", us / 1_000),
        _ => length(Duration::from_micros(us).as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time() {
        assert_eq!(time("2026-03-01T12:00:00+01:00").unwrap().to_string(), "2026-03-01T11:00:00Z");
        let midnight = civil::date(2026, 3, 1).to_zoned(TimeZone::system()).unwrap().timestamp();
        assert_eq!(time("2026-03-01").unwrap(), midnight);
        let ago = Timestamp::now().as_second() - time("7d").unwrap().as_second();
        assert!((7 * 86_400..7 * 86_400 + 60).contains(&ago), "{ago}");
        for wrong in ["", "yesterday", "2026-02-30", "12", "2026", "-1d", "1 fortnight"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lengths_of_time() {
        for (seconds, text) in [
            (0.04, "40ms"),
            (0.9999, "999ms"),
            (3.25, "3.2s"),
            (12.9, "12s"),
            (200.0, "3m20s"),
            (7_500.0, "2h05m"),
            (360_000.0, "4d4h"),
            (-1.0, ""),
            (f64::NAN, ""),
        ] {
            assert_eq!(length(seconds), text);
        }
        for (us, text) in [(0, "0µs"), (999, "999µs"), (12_345, "12ms"), (1_250_000, "1.2s")] {
            assert_eq!(length_us(us), text);
        }
    }
}
