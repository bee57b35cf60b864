//! Lays out bars and their intervals as plain numbers; the template only draws them.

use serde::Serialize;

use super::record::{Metric, Series};
use super::statistics::Estimate;

/// Width of the drawing, in its own units.
const WIDTH: f64 = 720.0;
/// Bars begin here; names are to the left.
const LEFT: f64 = 190.0;
/// The longest bar ends here; figures are to the right.
const RIGHT: f64 = 560.0;
const ROW: f64 = 22.0;
const HEAD: f64 = 26.0;

/// One metric of a series: a group of bars for each prompt length, a bar for each engine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Chart {
    /// The metric.
    pub(super) title: String,
    /// All of its figures, for screen readers.
    pub(super) description: String,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) left: f64,
    pub(super) groups: Vec<Group>,
}

/// The bars of one prompt length.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Group {
    pub(super) label: String,
    /// Baseline of the label.
    pub(super) y: f64,
    pub(super) bars: Vec<Bar>,
}

/// One engine's bar.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Bar {
    pub(super) engine: String,
    /// Place of the engine in the series; 0 is the subject, which has its own colour.
    pub(super) place: usize,
    pub(super) figure: String,
    pub(super) y: f64,
    /// Length of the bar.
    pub(super) length: f64,
    /// Ends of the interval.
    pub(super) interval: Option<(f64, f64)>,
    /// Position of the figure.
    pub(super) figure_x: f64,
}

/// Lays a chart out; `None` if nothing was measured.
pub(super) fn chart(series: &Series, metric: Metric) -> Option<Chart> {
    let mut measured = Vec::new();
    for context in series.contexts() {
        let estimates = series.engines.iter().enumerate().filter_map(|(place, engine)| {
            let estimate = Estimate::of(&metric.rates(engine, context))?;
            Some((place, engine.name.clone(), estimate))
        });
        measured.push((context, estimates.collect::<Vec<_>>()));
    }
    measured.retain(|(_, estimates)| !estimates.is_empty());
    let ends = measured.iter().flat_map(|(_, estimates)| estimates);
    let most = ends
        .map(|(_, _, estimate)| estimate.interval.map_or(estimate.median, |range| range.high))
        .fold(0.0, f64::max);
    if most <= 0.0 {
        return None;
    }
    let scale = |rate: f64| LEFT + rate / most * (RIGHT - LEFT);
    let mut y = 0.0;
    let mut figures = Vec::new();
    let mut groups = Vec::new();
    for (context, estimates) in measured {
        let label = format!("prompt of {context} tokens");
        let head = y + HEAD - 8.0;
        y += HEAD;
        let mut bars = Vec::new();
        for (place, engine, estimate) in estimates {
            let figure = match estimate.interval {
                Some(range) => {
                    format!("{:.1} ({:.1} to {:.1})", estimate.median, range.low, range.high)
                }
                None => format!("{:.1}", estimate.median),
            };
            figures.push(format!("{label}, {engine}: {figure}"));
            let end = estimate.interval.map_or(estimate.median, |range| range.high);
            bars.push(Bar {
                engine,
                place,
                figure,
                y,
                length: scale(estimate.median) - LEFT,
                interval: estimate.interval.map(|range| (scale(range.low), scale(range.high))),
                figure_x: scale(end) + 8.0,
            });
            y += ROW;
        }
        groups.push(Group { label, y: head, bars });
    }
    Some(Chart {
        title: format!("{}, in tokens a second", title(metric)),
        description: figures.join("; "),
        width: WIDTH,
        height: y + 4.0,
        left: LEFT,
        groups,
    })
}

fn title(metric: Metric) -> &'static str {
    match metric {
        Metric::Prefill => "Prefill",
        Metric::Decode => "Decode",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::fixture;

    #[test]
    fn bars_are_as_long_as_their_rates() {
        let record = fixture::record();
        let chart = chart(&record.series[0], Metric::Decode).unwrap();
        let [group] = &chart.groups[..] else { panic!("{chart:?}") };
        let bars: Vec<_> =
            group.bars.iter().map(|bar| (&bar.engine[..], bar.length, bar.place)).collect();
        // 100, 50 and 20 tokens a second; what was not measured has no bar.
        assert_eq!(
            bars,
            [
                ("tierproof@wasm", RIGHT - LEFT, 0),
                ("wllama@wasm", (RIGHT - LEFT) / 2.0, 1),
                ("tierproof@webgl", (RIGHT - LEFT) / 5.0, 3),
            ]
        );
        assert!(chart.description.contains("wllama@wasm: 50.0 (50.0 to 50.0)"));
        assert!(group.bars.iter().all(|bar| bar.y + ROW <= chart.height));
    }

    #[test]
    fn without_samples_there_is_no_chart() {
        let mut record = fixture::record();
        for engine in &mut record.series[0].engines {
            engine.samples.clear();
        }
        assert_eq!(chart(&record.series[0], Metric::Prefill), None);
    }
}
