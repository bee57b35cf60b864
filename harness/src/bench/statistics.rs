//! The statistics of a few noisy runs: a median, and an interval that holds without any
//! assumption on how the noise is distributed.
//!
//! The interval is the exact one between two order statistics. Of `n` independent runs, the number
//! below the true median is binomial with probability 1/2, so the `k`-th smallest and the `k`-th
//! largest run enclose it with probability `1 - 2 P(B < k)`; `k` is the largest for which that
//! reaches the level (Conover, *Practical Nonparametric Statistics*, 3.2). Below six runs there is
//! no such interval at 95%, and none is made up. Nothing is drawn at random, so the same samples
//! always give the same figures.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF};

/// How sure an interval has to be.
pub const LEVEL: f64 = 0.95;

/// A median, and what encloses it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The median of the runs.
    pub median: f64,
    /// Encloses the true median; `None` where there are too few runs for the level.
    pub interval: Option<Interval>,
    /// Number of runs.
    pub runs: u32,
}

/// From here to there, both included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// What an interval of a ratio says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All of it is above 1.
    Faster,
    /// All of it is below 1.
    Slower,
    /// It has 1 inside, or there are too few runs.
    Undecided,
}

impl Verdict {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::Undecided => "undecided",
        }
    }
}

impl Estimate {
    /// Of runs, at [`LEVEL`]; `None` where there are none.
    pub fn of(runs: &[f64]) -> Option<Self> {
        Self::at(runs, LEVEL)
    }

    /// Of runs, at another level.
    fn at(runs: &[f64], level: f64) -> Option<Self> {
        let mut sorted = runs.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (low, high) =
            (sorted.get((sorted.len().max(1) - 1) / 2)?, sorted.get(sorted.len() / 2)?);
        let median = f64::midpoint(*low, *high);
        let interval = rank(sorted.len(), level).and_then(|rank| {
            let (low, high) = (*sorted.get(rank - 1)?, *sorted.get(sorted.len() - rank)?);
            Some(Interval { low, high })
        });
        Some(Self { median, interval, runs: sorted.len() as u32 })
    }

    /// The ratio of two medians whose runs were not interleaved: `new / old`.
    ///
    /// Each median gets an interval that misses with half of the probability, so that the widest
    /// ratio of the two (Bonferroni) holds at [`LEVEL`] or better.
    pub fn of_ratio(new: &[f64], old: &[f64]) -> Option<Self> {
        let level = f64::midpoint(1.0, LEVEL);
        let (new, old) = (Self::at(new, level)?, Self::at(old, level)?);
        let interval = new.interval.zip(old.interval);
        let interval = interval
            .map(|(new, old)| Interval { low: new.low / old.high, high: new.high / old.low });
        Some(Self { median: new.median / old.median, interval, runs: new.runs.min(old.runs) })
    }

    /// What it says of a ratio.
    pub fn verdict(&self) -> Verdict {
        match self.interval {
            Some(interval) if interval.low > 1.0 => Verdict::Faster,
            Some(interval) if interval.high < 1.0 => Verdict::Slower,
            Some(_) | None => Verdict::Undecided,
        }
    }
}

/// The largest `k`, from 1, for which the `k`-th smallest and the `k`-th largest of `runs` enclose
/// the median at `level`.
fn rank(runs: usize, level: f64) -> Option<usize> {
    let below = Binomial::new(0.5, runs as u64).ok()?;
    let covers = |k: usize| 1.0 - 2.0 * below.cdf(k as u64 - 1) >= level;
    (1..=runs / 2).take_while(|k| covers(*k)).last()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ranks from the table of the binomial distribution with p = 1/2.
    #[test]
    fn ranks_are_those_of_the_table() {
        for (runs, level, expected) in [
            (0, 0.95, None),
            (1, 0.95, None),
            (5, 0.95, None),
            (6, 0.95, Some(1)),
            (8, 0.95, Some(1)),
            (9, 0.95, Some(2)),
            (12, 0.95, Some(3)),
            (20, 0.95, Some(6)),
            (6, 0.975, None),
            (7, 0.975, Some(1)),
        ] {
            assert_eq!(rank(runs, level), expected, "{runs} runs at {level}");
        }
    }

    #[test]
    fn a_median_stands_in_the_middle() {
        let median = |runs: &[f64]| Estimate::of(runs).map(|estimate| estimate.median);
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[4.0, 1.0]), Some(2.5));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
    }

    #[test]
    fn an_interval_ignores_outliers_once_there_are_enough_runs() {
        let runs = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 900.0];
        let estimate = Estimate::of(&runs).unwrap();
        assert_eq!(estimate.interval, Some(Interval { low: 2.0, high: 8.0 }));
        assert_eq!(Estimate::of(&runs[..5]).unwrap().interval, None);
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "the very same quotients")]
    fn what_was_not_interleaved_is_compared_by_the_widest_ratio() {
        let new = [10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0];
        let old = [4.0, 4.0, 4.0, 5.0, 6.0, 6.0, 8.0];
        let estimate = Estimate::of_ratio(&new, &old).unwrap();
        assert_eq!(estimate.median, 13.0 / 5.0);
        assert_eq!(estimate.interval, Some(Interval { low: 10.0 / 8.0, high: 16.0 / 4.0 }));
        assert_eq!(estimate.verdict(), Verdict::Faster);
        assert_eq!(Estimate::of_ratio(&old, &new).unwrap().verdict(), Verdict::Slower);
        assert_eq!(Estimate::of_ratio(&new[..3], &old).unwrap().verdict(), Verdict::Undecided);
        assert_eq!(Estimate::of_ratio(&new, &new).unwrap().verdict(), Verdict::Undecided);
    }
}
