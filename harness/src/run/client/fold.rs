//! Folds the repeated parts of a trace.
//!
//! A scenario that repeats its steps has a trace of thousands of lines, too long to read. Equal
//! parts that follow each other become one, with their count. Generations count on from round to
//! round, so parts are equal if their generations differ by the same number.

use std::fmt::Write;

/// The fewest repeats in a row that are folded.
const LEAST: usize = 3;

/// A part that comes `times` times from `start` on, each of `length` units.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Run {
    start: usize,
    length: usize,
    times: usize,
    /// The increase of the generations with each repeat.
    growth: i64,
}

/// The text of all units, one or more whole lines each.
pub(super) fn fold(units: &[String]) -> String {
    let parsed: Vec<Unit> = units.iter().map(|text| Unit::of(text)).collect();
    let mut text = String::new();
    write(units, &parsed, 0, &mut text);
    text
}

fn write(units: &[String], parsed: &[Unit], indent: usize, text: &mut String) {
    let mut lines = |units: &[String]| {
        for line in units.iter().flat_map(|unit| unit.lines()) {
            writeln!(text, "{:indent$}{line}", "").ok();
        }
    };
    let Some(run) = longest(parsed) else { return lines(units) };
    let Run { start, length, times, growth } = run;
    let (within, end) = (start..start + length, start + length * times);
    let of = |range: std::ops::Range<usize>| (&units[range.clone()], &parsed[range]);
    let (before, part, after) = (of(0..start), of(within), of(end..units.len()));
    write(before.0, before.1, indent, text);
    let each = if growth == 0 { String::new() } else { format!(", g{growth:+} each") };
    writeln!(text, "{:indent$}{times} times{each}", "").ok();
    write(part.0, part.1, indent + 2, text);
    write(after.0, after.1, indent, text);
}

/// The shape of a unit, and the generations that stand in it.
#[derive(Debug, PartialEq)]
struct Unit {
    shape: String,
    generations: Vec<i64>,
}

impl Unit {
    fn of(text: &str) -> Self {
        let mut generations = Vec::new();
        let words = text.split_inclusive(char::is_whitespace).map(|word| {
            let number = word.trim_end().strip_prefix('g').and_then(|digits| digits.parse().ok());
            match number {
                Some(number) => {
                    generations.push(number);
                    "g "
                }
                None => word,
            }
        });
        Self { shape: words.collect(), generations }
    }

    /// By how much each generation is ahead of another unit's; `None` if the units differ otherwise.
    fn ahead_of(&self, other: &Self) -> Option<impl Iterator<Item = i64> + Clone> {
        let is_same =
            self.shape == other.shape && self.generations.len() == other.generations.len();
        is_same.then(|| self.generations.iter().zip(&other.generations).map(|(a, b)| a - b))
    }
}

/// The part whose repeats cover most units; of several the shortest, then the first.
fn longest(units: &[Unit]) -> Option<Run> {
    let mut best: Option<Run> = None;
    for start in 0..units.len() {
        for length in 1..=(units.len() - start) / LEAST {
            let Some(run) = run(units, start, length) else { continue };
            if best.is_none_or(|best| run.length * run.times > best.length * best.times) {
                best = Some(run);
            }
        }
    }
    best
}

/// The repeats of a part, if there are enough of them.
fn run(units: &[Unit], start: usize, length: usize) -> Option<Run> {
    let mut growth = None;
    let mut same = 0;
    for (unit, before) in units.get(start + length..)?.iter().zip(units.get(start..)?) {
        let Some(mut ahead) = unit.ahead_of(before) else { break };
        let wanted = growth.or_else(|| ahead.clone().next());
        if !ahead.all(|one| Some(one) == wanted) {
            break;
        }
        growth = wanted;
        same += 1;
    }
    let times = same / length + 1;
    (times >= LEAST).then_some(Run { start, length, times, growth: growth.unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| format!("{text}\n")).collect()
    }

    #[test]
    fn what_does_not_repeat_is_left_alone() {
        let text = units(&["a g1", "b g1", "a g1", "b g1", "c\nd"]);
        assert_eq!(fold(&text), text.concat());
        assert_eq!(fold(&[]), "");
    }

    #[test]
    fn rounds_are_folded_with_rounds_in_them() {
        let round = |g: u32| {
            let plain = format!("ask g{g}\nanswer g{g}");
            let loss = format!("ask g{g}\nlost g{g}\ndevice g{}\nanswer g{}", g + 1, g + 1);
            [vec![plain; 3], vec![loss]].concat()
        };
        let all = (1..5).flat_map(round);
        let all: Vec<String> = std::iter::once("start g0".to_owned()).chain(all).collect();
        let texts = units(&all.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(
            fold(&texts),
            "\
start g0
4 times, g+1 each
  3 times
    ask g1
    answer g1
  ask g1
  lost g1
  device g2
  answer g2
"
        );
    }

    #[test]
    fn a_round_that_differs_shows() {
        let mut texts = units(&["a g1", "a g1", "a g1", "a g1", "a g1", "a g1"]);
        texts[3] = "b g1\n".to_owned();
        assert_eq!(fold(&texts), "3 times\n  a g1\nb g1\na g1\na g1\n");
        // A generation that stops counting, and one that counts faster.
        let texts = units(&["a g1", "a g2", "a g3", "a g3", "a g5"]);
        assert_eq!(fold(&texts), "3 times, g+1 each\n  a g1\na g3\na g5\n");
        let texts = units(&["a g1 g2", "a g2 g3", "a g3 g5"]);
        assert_eq!(fold(&texts), texts.concat());
    }

    #[test]
    fn words_that_begin_with_g_are_not_generations() {
        let unit = Unit::of("running -> gpu g12 gpu-error g1x\n");
        let shape = "running -> gpu g gpu-error g1x\n".to_owned();
        assert_eq!(unit, Unit { shape, generations: vec![12] });
    }
}
