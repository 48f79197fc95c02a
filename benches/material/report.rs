//! What every bench prints: a line a measurement with its name, what was measured, and the limit where there is one; and
//! the exit code, which is a failure when a limit is not kept.

use std::process::ExitCode;

/// The lines so far, and whether each limit was kept.
pub(crate) struct Report {
    is_kept: bool,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self { is_kept: true }
    }

    /// A measurement that must not be above its limit.
    pub(crate) fn at_most(&mut self, name: &str, measured: f64, limit: f64) {
        self.line(name, measured, limit, measured <= limit, "ABOVE");
    }

    /// A measurement that must not be below its limit.
    pub(crate) fn at_least(&mut self, name: &str, measured: f64, limit: f64) {
        self.line(name, measured, limit, measured >= limit, "BELOW");
    }

    /// A measurement without a limit, to compare others with.
    pub(crate) fn note(&self, name: &str, measured: f64) {
        println!("{name:<56} {measured:>10.2}");
    }

    fn line(&mut self, name: &str, measured: f64, limit: f64, is_kept: bool, otherwise: &str) {
        self.is_kept &= is_kept;
        println!("{name:<56} {measured:>10.2}  limit {limit:>8.2}  {}", if is_kept { "ok" } else { otherwise });
    }

    /// How the bench ends.
    pub(crate) fn exit(&self) -> ExitCode {
        if self.is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// What a part of the values is at most: 0.5 gives the median.
pub(crate) fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * part).round() as usize]
}
