//! The order in which the steps of a client's scenario are carried out, repeats among them.

use std::collections::BTreeMap;

use super::definition::{ClientStep, Repeat};

/// The most that a step can be carried out in total. A browser can't do more in an attempt.
pub(crate) const MOST_ROUNDS: u64 = 10_000;

/// The turn of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Turn<'a> {
    /// The step's number, from 1.
    pub(crate) number: usize,
    /// The number of its turns so far, this one included.
    pub(crate) round: u32,
    /// The step; never a [`Repeat`].
    pub(crate) step: &'a ClientStep,
}

/// The steps in order. A repeat inside a repeat starts again in each round of the outer one.
pub(crate) fn course(steps: &[ClientStep]) -> impl Iterator<Item = Turn<'_>> {
    let mut next = 0;
    let mut turns = vec![0; steps.len()];
    // By the place of the repeat: rounds that are done.
    let mut rounds: BTreeMap<usize, u32> = BTreeMap::new();
    std::iter::from_fn(move || {
        loop {
            let (here, step) = (next, steps.get(next)?);
            next += 1;
            let ClientStep::Repeat(Repeat { from, times }) = step else {
                let turn: &mut u32 = turns.get_mut(here)?;
                *turn += 1;
                return Some(Turn { number: next, round: *turn, step });
            };
            let done = rounds.entry(here).or_default();
            *done += 1;
            if *done < *times {
                // A repeat never goes forwards; see `read`.
                next = (*from as usize).saturating_sub(1).min(here);
            } else {
                rounds.remove(&here);
            }
        }
    })
}

/// How often each step is carried out, with nested repeats multiplied.
pub(super) fn rounds(steps: &[ClientStep]) -> Vec<u64> {
    let mut rounds = vec![1_u64; steps.len()];
    for (here, step) in steps.iter().enumerate() {
        if let ClientStep::Repeat(Repeat { from, times }) = step {
            let from = (*from as usize).saturating_sub(1).min(here);
            for round in rounds.iter_mut().take(here).skip(from) {
                *round = round.saturating_mul((*times).into());
            }
        }
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::super::definition::Wait;
    use super::*;

    fn wait() -> ClientStep {
        ClientStep::Wait(Wait::Ms(1))
    }

    fn repeat(from: u32, times: u32) -> ClientStep {
        ClientStep::Repeat(Repeat { from, times })
    }

    fn numbers(steps: &[ClientStep]) -> Vec<(usize, u32)> {
        course(steps).map(|turn| (turn.number, turn.round)).collect()
    }

    #[test]
    fn without_a_repeat_steps_follow_each_other() {
        assert_eq!(numbers(&[wait(), ClientStep::Leave]), [(1, 1), (2, 1)]);
    }

    #[test]
    fn a_repeat_goes_back_and_then_on() {
        let steps = [wait(), wait(), repeat(2, 3), wait()];
        assert_eq!(numbers(&steps), [(1, 1), (2, 1), (2, 2), (2, 3), (4, 1)]);
        assert_eq!(rounds(&steps), [1, 3, 1, 1]);
    }

    #[test]
    fn a_repeat_in_a_repeat_starts_again() {
        let steps = [wait(), repeat(1, 2), wait(), repeat(1, 2)];
        let expected = [(1, 1), (1, 2), (3, 1), (1, 3), (1, 4), (3, 2)];
        assert_eq!(numbers(&steps), expected);
        assert_eq!(rounds(&steps), [4, 2, 2, 1]);
    }

    #[test]
    fn a_repeat_that_goes_forwards_ends_all_the_same() {
        assert_eq!(numbers(&[repeat(9, 3), wait()]), [(2, 1)]);
    }
}
