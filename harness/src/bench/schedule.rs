//! Which engine runs when: A B C, then C B A, and so on.
//!
//! Runs that are compared stand next to each other, so that what changes slowly (clock rate,
//! temperature, a neighbour) hits both; and each comes first as often as last, so that a drift
//! favours neither.

/// The order of `engines` engines in round `round`, by index.
pub fn order(round: u32, engines: usize) -> Vec<usize> {
    let forward = 0..engines;
    if round.is_multiple_of(2) { forward.rev().collect() } else { forward.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_round_runs_backwards() {
        assert_eq!(order(1, 3), [0, 1, 2]);
        assert_eq!(order(2, 3), [2, 1, 0]);
        assert_eq!(order(3, 3), [0, 1, 2]);
        assert_eq!(order(1, 0), [0; 0]);
    }

    #[test]
    fn in_two_rounds_every_engine_stands_in_the_middle_on_average() {
        let engines = 4;
        let place = |round, engine| order(round, engines).iter().position(|at| *at == engine);
        for engine in 0..engines {
            let places = place(1, engine).zip(place(2, engine)).unwrap();
            assert_eq!(places.0 + places.1, engines - 1);
        }
    }
}
