//! The order of engines in each round: A B C, then C B A, and so on.
//!
//! Runs that are compared follow each other, so that slow changes (clock rate, temperature, other
//! programs) affect both. Each engine runs first as often as last, so that a drift favours neither.

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
    fn over_two_rounds_every_engine_has_the_same_average_place() {
        let engines = 4;
        let place = |round, engine| order(round, engines).iter().position(|at| *at == engine);
        for engine in 0..engines {
            let places = place(1, engine).zip(place(2, engine)).unwrap();
            assert_eq!(places.0 + places.1, engines - 1);
        }
    }
}
