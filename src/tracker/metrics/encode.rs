//! From sums to text: OpenMetrics as the library writes it, and the older format of Prometheus made from it.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Error,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet, text::encode},
    metrics::MetricType,
    registry::Registry,
};

use super::{
    names::{
        ACTIVE_SESSIONS, DURATION_BOUNDS, EMIT_DURATION, EMIT_FAILURE, EMIT_SUCCESS, Name, OTHER, SESSION_DURATION,
        SESSION_END, SESSION_QUALITY, SESSION_START, TRACKER_EVENTS,
    },
    tally::Tally,
};
use crate::{
    event::EventKind,
    journal::{EMIT_BOUNDS_US, Emits, SessionRecord},
};

/// Kinds of errors with a label of their own.
const MOST_ERRORS: usize = 50;

/// In which format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    /// The text format of Prometheus, 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Exposition {
    /// The one that an `Accept` header asks for.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// Its media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The values of some labels, in the order of their names.
type Labels = Vec<String>;

/// A histogram: how many in each range, and all values together.
#[derive(Clone, Debug, Default)]
struct Histogram {
    counts: Vec<u64>,
    sum: f64,
}

/// Everything that is measured, at one moment.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    starts: BTreeMap<Labels, u64>,
    ends: BTreeMap<Labels, u64>,
    durations: BTreeMap<Labels, Histogram>,
    emit_success: BTreeMap<Labels, u64>,
    emit_failure: BTreeMap<Labels, u64>,
    emit_durations: BTreeMap<Labels, Histogram>,
    active: BTreeMap<Labels, u64>,
    quality: BTreeMap<Labels, (f64, u64)>,
    verdicts: BTreeMap<Labels, u64>,
}

impl Snapshot {
    pub(super) fn of(
        tally: &Tally,
        active: &[(String, u64)],
        ended: &[SessionRecord],
        emitted: &[(String, Vec<Emits>)],
        verdicts: [(&str, u64); 4],
    ) -> Self {
        let mut snapshot = Self::default();
        for (name, component) in &tally.components {
            for (shell_type, count) in &component.starts {
                snapshot.starts.insert(vec![name.clone(), shell_type.clone()], *count);
            }
            for (status, count) in &component.ends {
                snapshot.ends.insert(vec![name.clone(), status.clone()], *count);
            }
            let sum = component.duration_us as f64 / 1e6;
            snapshot.durations.insert(vec![name.clone()], Histogram { counts: component.durations.to_vec(), sum });
            // A component without an open session has none, which is not the same as not being there.
            snapshot.active.insert(vec![name.clone()], 0);
        }
        for (component, count) in active {
            *snapshot.active.entry(vec![tally.label(component).to_owned()]).or_default() += count;
        }
        for session in ended {
            if let Some(score) = session.quality_score {
                let label = vec![tally.label(&session.component_name).to_owned()];
                let (sum, count) = snapshot.quality.entry(label).or_default();
                *sum += score;
                *count += 1;
            }
        }
        for (component, emits) in emitted {
            snapshot.add_emits(tally.label(component), emits);
        }
        for (verdict, count) in verdicts {
            snapshot.verdicts.insert(vec![verdict.to_owned()], count);
        }
        snapshot
    }

    fn add_emits(&mut self, component: &str, emits: &[Emits]) {
        for emits in emits {
            // Types that this version does not know could be any text.
            let event_type = match EventKind::from(emits.event_type.clone()) {
                EventKind::Other(_) => OTHER.to_owned(),
                known => known.as_str().to_owned(),
            };
            let labels = vec![component.to_owned(), event_type];
            *self.emit_success.entry(labels.clone()).or_default() += emits.success;
            for (kind, count) in &emits.failure {
                let mut full = [labels.as_slice(), std::slice::from_ref(kind)].concat();
                if self.emit_failure.len() >= MOST_ERRORS && !self.emit_failure.contains_key(&full) {
                    full[2] = OTHER.to_owned();
                }
                *self.emit_failure.entry(full).or_default() += count;
            }
            let histogram = self.emit_durations.entry(labels).or_default();
            histogram.counts.resize(EMIT_BOUNDS_US.len() + 1, 0);
            for (sum, count) in histogram.counts.iter_mut().zip(&emits.durations) {
                *sum += count;
            }
            histogram.sum += emits.duration_us as f64 / 1e6;
        }
    }
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let by_component = ["component_name"];
        let by_type = ["component_name", "event_type"];
        counters(&mut encoder, SESSION_START, &["component_name", "shell_type"], &self.starts)?;
        counters(&mut encoder, SESSION_END, &["component_name", "status"], &self.ends)?;
        let bounds: Vec<f64> = DURATION_BOUNDS.iter().map(|bound| *bound as f64).collect();
        histograms(&mut encoder, SESSION_DURATION, &by_component, &bounds, &self.durations)?;
        counters(&mut encoder, EMIT_SUCCESS, &by_type, &self.emit_success)?;
        counters(&mut encoder, EMIT_FAILURE, &["component_name", "event_type", "error_type"], &self.emit_failure)?;
        let bounds: Vec<f64> = EMIT_BOUNDS_US.iter().map(|bound| *bound as f64 / 1e6).collect();
        histograms(&mut encoder, EMIT_DURATION, &by_type, &bounds, &self.emit_durations)?;
        let active: BTreeMap<Labels, f64> =
            self.active.iter().map(|(labels, count)| (labels.clone(), *count as f64)).collect();
        gauges(&mut encoder, ACTIVE_SESSIONS, &by_component, &active)?;
        let quality: BTreeMap<Labels, f64> =
            self.quality.iter().map(|(labels, (sum, count))| (labels.clone(), sum / *count as f64)).collect();
        gauges(&mut encoder, SESSION_QUALITY, &by_component, &quality)?;
        counters(&mut encoder, TRACKER_EVENTS, &["verdict"], &self.verdicts)
    }
}

fn labels(names: &[&str], values: &Labels) -> Vec<(String, String)> {
    names.iter().zip(values).map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn counters(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): Name,
    names: &[&str],
    values: &BTreeMap<Labels, u64>,
) -> Result<(), Error> {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (of, value) in values {
        family.encode_family(&labels(names, of))?.encode_counter::<NoLabelSet, _, u64>(value, None)?;
    }
    Ok(())
}

fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): Name,
    names: &[&str],
    values: &BTreeMap<Labels, f64>,
) -> Result<(), Error> {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (of, value) in values {
        family.encode_family(&labels(names, of))?.encode_gauge(value)?;
    }
    Ok(())
}

fn histograms(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): Name,
    names: &[&str],
    bounds: &[f64],
    values: &BTreeMap<Labels, Histogram>,
) -> Result<(), Error> {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    for (of, histogram) in values {
        let bounds = bounds.iter().copied().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(histogram.counts.iter().copied()).collect();
        let count = histogram.counts.iter().sum();
        let none: Option<&HashMap<usize, _>> = None;
        family.encode_family(&labels(names, of))?.encode_histogram::<NoLabelSet>(
            histogram.sum,
            count,
            &buckets,
            none,
        )?;
    }
    Ok(())
}

/// The text of a snapshot.
pub(super) fn text(snapshot: Snapshot, exposition: Exposition) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(snapshot));
    let mut text = String::new();
    encode(&mut text, &registry).expect("writing into a string does not fail");
    match exposition {
        Exposition::OpenMetrics => text,
        Exposition::Prometheus => older(&text),
    }
}

/// The same in the older format: counters are named in full, and there is no end mark.
fn older(text: &str) -> String {
    let counters: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let mut older = String::with_capacity(text.len());
    for line in text.lines().filter(|line| *line != "# EOF") {
        let named = ["# HELP ", "# TYPE "].iter().find_map(|word| {
            let (name, rest) = line.strip_prefix(word)?.split_once(' ')?;
            counters.contains(&name).then(|| format!("{word}{name}_total {rest}"))
        });
        older.push_str(named.as_deref().unwrap_or(line));
        older.push('\n');
    }
    older
}
