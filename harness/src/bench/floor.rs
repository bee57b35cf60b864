//! `--require`: the least that a ratio has to reach, so that CI can check a claim.
//!
//! A floor holds if the median reaches it. A floor without any measured pair is missed too, so that
//! a bench can't pass because nothing ran.

use std::fmt;
use std::str::FromStr;

use super::comparison::compare;
use super::record::{BenchRecord, Comparison, Engine, Metric, Series};
use crate::engines;

/// The floors for one pair: `wllama:decode=1.5,prefill=3`, or `webgl/webgpu:decode=0.6`.
#[derive(Debug, Clone, PartialEq)]
pub struct Floors {
    /// The engine whose speed has to reach the floor; `None` for the first of the series.
    pub subject: Option<Side>,
    /// The engine that it is compared with.
    pub peer: Side,
    /// The least median of the ratio, by metric.
    pub least: Vec<(Metric, f64)>,
}

/// One side of a ratio, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side(String);

impl Side {
    /// It names this engine: by its full name, or without the threads, or without the backend too; for
    /// our engine also without the engine's name.
    pub fn means(&self, name: &str) -> bool {
        let Self(text) = self;
        let begins = |name: &str| {
            name.strip_prefix(text.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
        };
        let place = name.split_once('@').filter(|(engine, _)| *engine == engines::TIERPROOF.name);
        begins(name) || place.is_some_and(|(_, place)| begins(place))
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A text that is not a floor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}`: {problem}\n  (hint: as in `wllama:decode=1.5,prefill=3`, or \
     `webgl/webgpu:decode=0.6`)"
)]
pub struct BadFloor {
    text: String,
    problem: String,
}

impl FromStr for Floors {
    type Err = BadFloor;

    fn from_str(text: &str) -> Result<Self, BadFloor> {
        let bad = |problem: String| BadFloor { text: text.to_owned(), problem };
        let (pair, floors) = text
            .rsplit_once(':')
            .ok_or_else(|| bad("expected `[ENGINE/]PEER:METRIC=RATIO`".to_owned()))?;
        let side = |name: &str, before: &str| {
            if name.is_empty() {
                Err(bad(format!("expected an engine before `{before}`")))
            } else {
                Ok(Side(name.to_owned()))
            }
        };
        let (subject, peer) = match pair.split_once('/') {
            Some((subject, peer)) => (Some(side(subject, "/")?), side(peer, ":")?),
            None => (None, side(pair, ":")?),
        };
        let floor = |floor: &str| {
            let (name, value) = floor
                .split_once('=')
                .ok_or_else(|| bad(format!("expected `METRIC=RATIO`, found `{floor}`")))?;
            let metric = Metric::ALL.into_iter().find(|metric| metric.as_str() == name);
            let metric =
                metric.ok_or_else(|| bad(format!("expected prefill or decode, found `{name}`")))?;
            match value.parse::<f64>() {
                Ok(ratio) if ratio.is_finite() && ratio > 0.0 => Ok((metric, ratio)),
                _ => Err(bad(format!("expected a ratio above 0, found `{value}`"))),
            }
        };
        let least = floors.split(',').map(floor).collect::<Result<_, _>>()?;
        Ok(Self { subject, peer, least })
    }
}

impl fmt::Display for Floors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let floors =
            self.least.iter().map(|(metric, least)| format!("{}={least}", metric.as_str()));
        if let Some(subject) = &self.subject {
            write!(f, "{subject}/")?;
        }
        write!(f, "{}:{}", self.peer, floors.collect::<Vec<_>>().join(","))
    }
}

/// The result of checking floors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// A line for each comparison that does not reach its floor.
    pub missed: Vec<String>,
    /// A line for each floor without a measured pair.
    pub unmeasured: Vec<String>,
}

/// Checks every pair of a record against the floors that name it.
pub fn check(record: &BenchRecord, floors: &[Floors]) -> Checked {
    let mut checked = Checked::default();
    for floors in floors {
        let measured: Vec<_> =
            record.series.iter().map(|series| (series, measured(floors, series))).collect();
        for (metric, least) in &floors.least {
            let mut is_measured = false;
            for (series, comparisons) in &measured {
                for comparison in comparisons.iter().filter(|one| one.metric == *metric) {
                    is_measured = true;
                    let found = comparison.estimate.median;
                    if found < *least || found.is_nan() {
                        checked.missed.push(missed(series, comparison, *least));
                    }
                }
            }
            if !is_measured {
                let floor = Floors { least: vec![(*metric, *least)], ..floors.clone() };
                checked.unmeasured.push(format!("{floor}: no such pair was measured"));
            }
        }
    }
    checked
}

/// The comparisons in a series that floors name.
fn measured(floors: &Floors, series: &Series) -> Vec<Comparison> {
    let is_subject = |at: usize, engine: &Engine| match &floors.subject {
        Some(side) => side.means(&engine.name),
        None => at == 0,
    };
    let contexts = series.contexts();
    let mut all = Vec::new();
    for (at, subject) in series.engines.iter().enumerate() {
        if is_subject(at, subject) {
            let is_peer =
                |peer: &&Engine| floors.peer.means(&peer.name) && peer.name != subject.name;
            let peers = series.engines.iter().filter(is_peer);
            all.extend(peers.flat_map(|peer| compare(subject, peer, &contexts)));
        }
    }
    all
}

fn missed(series: &Series, comparison: &Comparison, least: f64) -> String {
    let (browser, model) = (&series.browser, &series.model.name);
    let Comparison { subject, peer, context, metric, estimate, .. } = comparison;
    format!(
        "{browser} {model}, prompt of {context}: {} of {subject} is {:.2} times that of {peer}, \
         required {least}",
        metric.as_str(),
        estimate.median
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::fixture;

    #[test]
    fn floors_are_parsed_and_printed_alike() {
        for text in [
            "wllama:decode=1.5,prefill=3",
            "llama.cpp:decode=0.4",
            "webgl/webgpu:decode=0.6",
            "tierproof@webgpu/transformers-js@webgpu:decode=3",
        ] {
            assert_eq!(text.parse::<Floors>().unwrap().to_string(), text);
        }
        for (text, problem) in [
            ("wllama", "expected `[ENGINE/]PEER:METRIC=RATIO`"),
            ("/webgpu:decode=1", "expected an engine before `/`"),
            ("webgl/:decode=1", "expected an engine before `:`"),
            (":decode=1", "expected an engine before `:`"),
            ("wllama:", "expected `METRIC=RATIO`, found ``"),
            ("wllama:speed=1", "expected prefill or decode, found `speed`"),
            ("wllama:decode=fast", "expected a ratio above 0, found `fast`"),
            ("wllama:decode=-1", "expected a ratio above 0, found `-1`"),
            ("wllama:decode=NaN", "expected a ratio above 0, found `NaN`"),
        ] {
            assert_eq!(text.parse::<Floors>().unwrap_err().problem, problem);
        }
    }

    #[test]
    fn a_name_may_be_shortened_at_either_end() {
        for (text, meant, not_meant) in [
            ("wasm", &["tierproof@wasm", "tierproof@wasm@2"][..], &["wllama@wasm"][..]),
            ("wasm@2", &["tierproof@wasm@2"], &["tierproof@wasm", "tierproof@wasm@20"]),
            ("tierproof@wasm", &["tierproof@wasm", "tierproof@wasm@2"], &["tierproof@wasm2"]),
            ("wllama", &["wllama@wasm", "wllama@wasm@2"], &["wllama2@wasm"]),
            ("llama.cpp", &["llama.cpp", "llama.cpp@2"], &["llama"]),
            ("tierproof", &["tierproof@webgl"], &["tierproof-native"]),
        ] {
            let side = Side(text.to_owned());
            for (names, is_meant) in [(meant, true), (not_meant, false)] {
                for name in names {
                    assert_eq!(side.means(name), is_meant, "{text}: {name}");
                }
            }
        }
    }

    #[test]
    fn a_floor_holds_or_is_missed_or_has_no_pair() {
        // The fixture's subject prefills 4 times and decodes 2 times as fast as its peer.
        let record = fixture::record();
        let checked = |text: &str| check(&record, &[text.parse().unwrap()]);
        assert_eq!(checked("wllama:decode=2,prefill=4"), Checked::default());
        assert_eq!(
            checked("wllama:decode=2.5").missed,
            ["chrome tiny, prompt of 32: decode of tierproof@wasm is 2.00 times that of \
                 wllama@wasm, required 2.5"]
        );
        assert_eq!(
            checked("llama.cpp:decode=1").unmeasured,
            ["llama.cpp:decode=1: no such pair was measured"]
        );
    }

    #[test]
    fn any_two_engines_make_a_pair() {
        // The fixture's engine on WebGL prefills and decodes in 5 times the time.
        let record = fixture::record();
        let checked = |text: &str| check(&record, &[text.parse().unwrap()]);
        assert_eq!(checked("webgl/wasm:decode=0.2,prefill=0.2"), Checked::default());
        assert_eq!(checked("tierproof@webgl/wllama:decode=0.4"), Checked::default());
        assert_eq!(checked("wasm/webgl:decode=5"), Checked::default());
        // A name means all of its backends, and an engine is never compared with itself.
        assert_eq!(checked("tierproof/wllama@wasm:decode=0.5").missed.len(), 1);
        assert_eq!(checked("webgl/tierproof:decode=0.21").missed.len(), 1);
        assert_eq!(checked("webgl/webgl:decode=1").unmeasured.len(), 1);
        // A bare backend means our engine on it.
        assert_eq!(checked("webgl/wasm:decode=1").missed.len(), 1);
        assert_eq!(checked("webgl/webgpu:decode=0.6").unmeasured.len(), 1);
    }
}
