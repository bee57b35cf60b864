//! Chooses the next token: turns one row of logits into one id.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::backend::Candidate;
use crate::protocol::{EngineError, Sampling};

/// A sampling rule with the state of its random generator.
#[derive(Debug)]
pub struct Sampler {
    rule: Rule,
}

#[derive(Debug)]
enum Rule {
    Greedy,
    Seeded { filters: Filters, generator: Box<ChaCha12Rng> },
}

/// The most candidates for which a search is cheaper than reading the whole row.
const MAX_CANDIDATES: usize = 64;

/// The parameters of a seeded draw, checked.
#[derive(Debug, Clone, Copy)]
struct Filters {
    temperature: f64,
    top_k: usize,
    top_p: f64,
    min_p: f64,
}

impl Sampler {
    /// Checks the parameters; fails with `invalid-request` on a value out of range.
    pub fn new(sampling: &Sampling) -> Result<Self, EngineError> {
        let Sampling::Seeded { seed, temperature, top_k, top_p, min_p } = *sampling else {
            return Ok(Self { rule: Rule::Greedy });
        };
        check("temperature", temperature, "above 0", temperature.is_finite() && temperature > 0.0)?;
        check("top_p", top_p, "above 0 and at most 1", top_p > 0.0 && top_p <= 1.0)?;
        check("min_p", min_p, "from 0 to 1", (0.0..=1.0).contains(&min_p))?;
        let filters = Filters {
            temperature: temperature.into(),
            top_k: top_k as usize,
            top_p: top_p.into(),
            min_p: min_p.into(),
        };
        // ChaCha is specified to the bit, so draws are the same on every tier.
        let generator = Box::new(ChaCha12Rng::seed_from_u64(seed));
        Ok(Self { rule: Rule::Seeded { filters, generator } })
    }

    /// Returns the next id for one row of logits.
    ///
    /// Fails with `invalid-model` on a row with NaN, with +∞, or with nothing but −∞: such logits
    /// come from broken weights or broken arithmetic.
    pub fn choose(&mut self, logits: &[f32]) -> Result<u32, EngineError> {
        self.choose_of((0..).zip(logits.iter().copied()))
    }

    /// How many of a row's most likely tokens are enough to choose from; `None` if the whole row is
    /// needed, or as cheap.
    pub fn candidates_needed(&self) -> Option<usize> {
        match &self.rule {
            Rule::Greedy => Some(1),
            Rule::Seeded { filters, .. } => {
                (1..=MAX_CANDIDATES).contains(&filters.top_k).then_some(filters.top_k)
            }
        }
    }

    /// Returns the id that [`choose`](Self::choose) would, given only the row's most likely tokens,
    /// as many as [`candidates_needed`](Self::candidates_needed) returns.
    pub fn choose_among(&mut self, candidates: &[Candidate]) -> Result<u32, EngineError> {
        self.choose_of(candidates.iter().map(|candidate| (candidate.id, candidate.logit)))
    }

    fn choose_of(
        &mut self,
        logits: impl Iterator<Item = (u32, f32)> + Clone,
    ) -> Result<u32, EngineError> {
        let best = best(&logits)?;
        match &mut self.rule {
            Rule::Greedy => Ok(best),
            Rule::Seeded { filters, generator } => {
                let candidates = candidates(logits, filters);
                Ok(draw(&candidates, unit(generator.next_u64())).unwrap_or(best))
            }
        }
    }
}

fn check(name: &str, value: f32, range: &str, is_right: bool) -> Result<(), EngineError> {
    if is_right {
        return Ok(());
    }
    Err(EngineError::invalid_request(format!("sampling `{name}` is {value}, expected {range}")))
}

/// The id with the highest logit; of equal ones, the lowest.
fn best(logits: &(impl Iterator<Item = (u32, f32)> + Clone)) -> Result<u32, EngineError> {
    let mut best = (0, f32::NEG_INFINITY);
    for (id, logit) in logits.clone() {
        if logit.is_nan() || logit == f32::INFINITY {
            return Err(broken(&format!("the logit of token {id} is {logit}")));
        }
        if logit > best.1 {
            best = (id, logit);
        }
    }
    match best.1 {
        f32::NEG_INFINITY if logits.clone().next().is_none() => Err(broken("there are no logits")),
        f32::NEG_INFINITY => Err(broken("every logit is -inf")),
        _ => Ok(best.0),
    }
}

fn broken(message: &str) -> EngineError {
    EngineError::invalid_model(format!("no token can be chosen: {message}"))
        .with_hint("the weights are broken, or the backend's arithmetic is wrong")
}

/// The ids and probabilities left by all filters, by falling probability and, among equals, by
/// rising id. The probabilities sum to 1.
fn candidates(logits: impl Iterator<Item = (u32, f32)>, filters: &Filters) -> Vec<(u32, f64)> {
    let mut left: Vec<(u32, f64)> = logits.map(|(id, logit)| (id, logit.into())).collect();
    left.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    if filters.top_k > 0 {
        left.truncate(filters.top_k);
    }

    // softmax(logits / temperature), shifted so that the most probable one is e^0.
    let highest = left.first().map_or(0.0, |first| first.1);
    for (_, value) in &mut left {
        *value = ((*value - highest) / filters.temperature).exp();
    }
    normalize(&mut left);

    if filters.top_p < 1.0 {
        let mut sum = 0.0;
        let below = left.iter().take_while(|(_, probability)| {
            let is_below = sum < filters.top_p;
            sum += probability;
            is_below
        });
        let kept = below.count();
        left.truncate(kept);
        normalize(&mut left);
    }

    let least = filters.min_p * left.first().map_or(0.0, |first| first.1);
    left.retain(|(_, probability)| *probability >= least);
    normalize(&mut left);
    left
}

fn normalize(candidates: &mut [(u32, f64)]) {
    let sum: f64 = candidates.iter().map(|(_, value)| value).sum();
    for (_, value) in candidates {
        *value /= sum;
    }
}

/// The candidate whose share of [0, 1) contains the point. `None` only where rounding leaves a gap
/// below 1.
fn draw(candidates: &[(u32, f64)], point: f64) -> Option<u32> {
    let mut sum = 0.0;
    candidates
        .iter()
        .find(|(_, probability)| {
            sum += probability;
            point < sum
        })
        .map(|(id, _)| *id)
}

/// The upper 53 bits as a number in [0, 1).
fn unit(bits: u64) -> f64 {
    const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
    (bits >> 11) as f64 * STEP
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::EngineErrorKind;

    fn seeded(seed: u64, temperature: f32, top_k: u32, top_p: f32, min_p: f32) -> Sampling {
        Sampling::Seeded { seed, temperature, top_k, top_p, min_p }
    }

    fn filters(temperature: f64, top_k: usize, top_p: f64, min_p: f64) -> Filters {
        Filters { temperature, top_k, top_p, min_p }
    }

    /// The most likely tokens, in order, give the same choices as the whole row.
    #[test]
    fn a_few_candidates_give_the_choice_of_the_whole_row() {
        let row: Vec<f32> = (0..500).map(|i| (i * 7919 % 101) as f32 / 7.0).collect();
        let mut sorted: Vec<_> =
            (0..).zip(&row).map(|(id, &logit)| Candidate { id, logit }).collect();
        sorted.sort_by(Candidate::order);
        for sampling in
            [Sampling::Greedy, seeded(7, 0.8, 40, 0.9, 0.01), seeded(7, 1.3, 1, 1.0, 0.0)]
        {
            let (mut by_row, mut by_few) =
                (Sampler::new(&sampling).unwrap(), Sampler::new(&sampling).unwrap());
            let few = by_few.candidates_needed().unwrap();
            for _ in 0..50 {
                let expected = by_row.choose(&row).unwrap();
                assert_eq!(by_few.choose_among(&sorted[..few]), Ok(expected), "{sampling:?}");
            }
        }
        for top_k in [0, 65] {
            let sampler = Sampler::new(&seeded(7, 1.0, top_k, 1.0, 0.0)).unwrap();
            assert_eq!(sampler.candidates_needed(), None);
        }
        // NaN sorts first, so it is not missed.
        sorted[300].logit = f32::NAN;
        sorted.sort_by(Candidate::order);
        let mut greedy = Sampler::new(&Sampling::Greedy).unwrap();
        assert!(greedy.choose_among(&sorted[..1]).is_err());
    }

    #[test]
    fn greedy_takes_the_lowest_id_among_equals() {
        let mut sampler = Sampler::new(&Sampling::Greedy).unwrap();
        let cases: [(&[f32], u32); 4] = [
            (&[0.0, 2.0, 2.0, 1.0], 1),
            (&[-3.0], 0),
            (&[f32::NEG_INFINITY, -1e30], 1),
            // The two zeros are equal.
            (&[-0.0, 0.0], 0),
        ];
        for (logits, id) in cases {
            assert_eq!(sampler.choose(logits).unwrap(), id, "{logits:?}");
        }
    }

    #[test]
    fn broken_logits_are_never_chosen() {
        let cases: [(&[f32], &str); 4] = [
            (&[9.0, f32::NAN, 1.0], "no token can be chosen: the logit of token 1 is NaN"),
            (&[f32::INFINITY, 1.0], "no token can be chosen: the logit of token 0 is inf"),
            (&[f32::NEG_INFINITY; 2], "no token can be chosen: every logit is -inf"),
            (&[], "no token can be chosen: there are no logits"),
        ];
        for sampling in [Sampling::Greedy, seeded(1, 1.0, 0, 1.0, 0.0)] {
            let mut sampler = Sampler::new(&sampling).unwrap();
            for (logits, message) in cases {
                let error = sampler.choose(logits).unwrap_err();
                assert_eq!(error.kind, EngineErrorKind::InvalidModel);
                assert_eq!(error.message, message);
            }
        }
    }

    /// Logits are logarithms of 1, 2, 4 and 9, so the probabilities are those over 16.
    #[test]
    fn filters_apply_one_after_the_other() {
        let logits = [1.0_f32, 4.0, 2.0, 9.0].map(f32::ln);
        let cases: [(Filters, &[(u32, f64)]); 9] = [
            (
                filters(1.0, 0, 1.0, 0.0),
                &[(3, 9.0 / 16.0), (1, 4.0 / 16.0), (2, 2.0 / 16.0), (0, 1.0 / 16.0)],
            ),
            // Half the temperature squares the weights: 81, 16, 4, 1 of 102.
            (
                filters(0.5, 0, 1.0, 0.0),
                &[(3, 81.0 / 102.0), (1, 16.0 / 102.0), (2, 4.0 / 102.0), (0, 1.0 / 102.0)],
            ),
            (filters(1.0, 2, 1.0, 0.0), &[(3, 9.0 / 13.0), (1, 4.0 / 13.0)]),
            // Only the most likely one.
            (filters(2.0, 1, 1.0, 0.0), &[(3, 1.0)]),
            // 9/16 is below 0.6, with 4/16 more it is not.
            (filters(1.0, 0, 0.6, 0.0), &[(3, 9.0 / 13.0), (1, 4.0 / 13.0)]),
            // Reached by the first alone.
            (filters(1.0, 0, 0.5, 0.0), &[(3, 1.0)]),
            // After top-k the shares are of 13: 9/13 alone reaches 0.69, unlike 9/16.
            (filters(1.0, 2, 0.69, 0.0), &[(3, 1.0)]),
            // 4/9 and 2/9 of the most probable; 1/9 is too little.
            (filters(1.0, 0, 1.0, 0.2), &[(3, 9.0 / 15.0), (1, 4.0 / 15.0), (2, 2.0 / 15.0)]),
            (filters(1.0, 0, 1.0, 1.0), &[(3, 1.0)]),
        ];
        for (filters, expected) in cases {
            let left = candidates((0..).zip(logits), &filters);
            assert_eq!(left.len(), expected.len(), "{filters:?}: {left:?}");
            for (left, expected) in left.iter().zip(expected) {
                assert_eq!(left.0, expected.0, "{filters:?}");
                // The logarithms were rounded to f32: 2^-24 relative, times their size.
                assert!((left.1 - expected.1).abs() < 1e-6, "{filters:?}: {left:?} {expected:?}");
            }
        }
    }

    #[test]
    fn a_point_selects_the_candidate_of_its_share() {
        let candidates = [(7, 0.5), (3, 0.25), (5, 0.25)];
        for (point, id) in [(0.0, 7), (0.4999, 7), (0.5, 3), (0.75, 5), (0.9999, 5)] {
            assert_eq!(draw(&candidates, point), Some(id), "{point}");
        }
        assert_eq!(unit(0).to_bits(), 0);
        assert!(unit(u64::MAX) < 1.0);
    }

    #[test]
    fn one_seed_gives_one_sequence() {
        let logits = [0.0_f32; 1000];
        let ids = |seed| -> Vec<u32> {
            let mut sampler = Sampler::new(&seeded(seed, 1.0, 0, 1.0, 0.0)).unwrap();
            (0..8).map(|_| sampler.choose(&logits).unwrap()).collect()
        };
        assert_eq!(ids(1), ids(1));
        assert_ne!(ids(1), ids(2));
    }

    /// A thousand draws from 9/16, 4/16, 2/16, 1/16: within four standard deviations.
    #[test]
    fn draws_follow_the_probabilities() {
        let logits = [1.0_f32, 4.0, 2.0, 9.0].map(f32::ln);
        let mut sampler = Sampler::new(&seeded(42, 1.0, 0, 1.0, 0.0)).unwrap();
        let mut counts = [0.0; 4];
        for _ in 0..1000 {
            counts[sampler.choose(&logits).unwrap() as usize] += 1.0;
        }
        for (count, weight) in counts.iter().zip([1.0, 4.0, 2.0, 9.0]) {
            let share: f64 = weight / 16.0;
            let deviation = (1000.0 * share * (1.0 - share)).sqrt();
            assert!((count - 1000.0 * share).abs() < 4.0 * deviation, "{counts:?}");
        }
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        let cases = [
            (seeded(0, 0.0, 0, 1.0, 0.0), "sampling `temperature` is 0, expected above 0"),
            (seeded(0, f32::NAN, 0, 1.0, 0.0), "sampling `temperature` is NaN, expected above 0"),
            (seeded(0, 1.0, 0, 0.0, 0.0), "sampling `top_p` is 0, expected above 0 and at most 1"),
            (
                seeded(0, 1.0, 0, 1.5, 0.0),
                "sampling `top_p` is 1.5, expected above 0 and at most 1",
            ),
            (seeded(0, 1.0, 0, 1.0, -0.5), "sampling `min_p` is -0.5, expected from 0 to 1"),
        ];
        for (sampling, message) in cases {
            let error = Sampler::new(&sampling).unwrap_err();
            assert_eq!(
                (error.kind, error.message.as_str()),
                (EngineErrorKind::InvalidRequest, message)
            );
        }
    }
}
