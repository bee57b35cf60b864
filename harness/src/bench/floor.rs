//! `--require`: what a ratio has to reach, so that a CI can hold a claim.
//!
//! A floor holds where the median reaches it; the interval is told beside. A floor that nothing
//! was held against is missed, too: green because nothing ran is impossible.

use std::fmt;
use std::str::FromStr;

use super::comparison::{Comparison, Metric};
use super::record::BenchRecord;

/// The floors of one peer: `wllama:decode=1.5,prefill=3`.
#[derive(Debug, Clone, PartialEq)]
pub struct Floors {
    /// The engine that the subject is compared with.
    pub peer: String,
    /// What the median of the ratio has to reach.
    pub least: Vec<(Metric, f64)>,
}

/// A text that is no floor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: {problem}\n  (hint: as in `wllama:decode=1.5,prefill=3`)")]
pub struct BadFloor {
    text: String,
    problem: String,
}

impl FromStr for Floors {
    type Err = BadFloor;

    fn from_str(text: &str) -> Result<Self, BadFloor> {
        let bad = |problem: String| BadFloor { text: text.to_owned(), problem };
        let (peer, floors) =
            text.rsplit_once(':').ok_or_else(|| bad("expected `PEER:METRIC=RATIO`".to_owned()))?;
        if peer.is_empty() {
            return Err(bad("expected an engine before `:`".to_owned()));
        }
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
        Ok(Self { peer: peer.to_owned(), least })
    }
}

impl fmt::Display for Floors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let floors =
            self.least.iter().map(|(metric, least)| format!("{}={least}", metric.as_str()));
        write!(f, "{}:{}", self.peer, floors.collect::<Vec<_>>().join(","))
    }
}

/// What came of the floors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Held {
    /// A comparison that does not reach its floor, one line each.
    pub missed: Vec<String>,
    /// A floor that no comparison was held against, one line each.
    pub unheld: Vec<String>,
}

/// Holds every comparison of a record against the floors.
pub fn hold(record: &BenchRecord, floors: &[Floors]) -> Held {
    let mut held = Held::default();
    for Floors { peer, least } in floors {
        for (metric, least) in least {
            let mut is_held = false;
            for series in &record.series {
                let fits = |comparison: &&Comparison| {
                    comparison.peer == *peer && comparison.metric == *metric
                };
                for comparison in series.comparisons.iter().filter(fits) {
                    is_held = true;
                    let found = comparison.estimate.median;
                    if found < *least || found.is_nan() {
                        let (browser, model) = (&series.browser, &series.model.name);
                        let (metric, context) = (metric.as_str(), comparison.context);
                        held.missed.push(format!(
                            "{browser} {model}, prompt of {context}: {metric} is {found:.2} times \
                             that of {peer}, required {least}"
                        ));
                    }
                }
            }
            if !is_held {
                let metric = metric.as_str();
                held.unheld.push(format!("{peer}:{metric}={least}: nothing was compared with it"));
            }
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::fixture;

    #[test]
    fn floors_are_read_and_told_alike() {
        for text in ["wllama:decode=1.5,prefill=3", "llama.cpp:decode=0.4"] {
            assert_eq!(text.parse::<Floors>().unwrap().to_string(), text);
        }
        for (text, problem) in [
            ("wllama", "expected `PEER:METRIC=RATIO`"),
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
    fn a_floor_is_held_missed_or_held_by_nothing() {
        // The fixture's subject prefills 4 times and decodes 2 times as fast as its peer.
        let record = fixture::record();
        let held = |text: &str| hold(&record, &[text.parse().unwrap()]);
        assert_eq!(held("wllama:decode=2,prefill=4"), Held::default());
        assert_eq!(
            held("wllama:decode=2.5").missed,
            ["chrome tiny, prompt of 32: decode is 2.00 times that of wllama, required 2.5"]
        );
        assert_eq!(
            held("llama.cpp:decode=1").unheld,
            ["llama.cpp:decode=1: nothing was compared with it"]
        );
    }
}
