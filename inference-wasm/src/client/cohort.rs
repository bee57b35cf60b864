//! Which arm of an experiment a visitor belongs to.
//!
//! The arm depends only on the visitor and the experiment. So it is the same on every visit and
//! device, and known before any weights are fetched.

use sha2::{Digest, Sha256};

pub use crate::protocol::client::{Arm, Experiment};

impl Experiment {
    /// The arm of a visitor; `None` if no arm has a weight.
    pub fn assign(&self, visitor: &str) -> Option<&Arm> {
        let total: u64 = self.arms.iter().map(|arm| u64::from(arm.weight)).sum();
        if total == 0 {
            return None;
        }
        let mut hasher = Sha256::new();
        // The length distinguishes `ab` + `c` from `a` + `bc`.
        hasher.update((self.name.len() as u64).to_le_bytes());
        hasher.update(&self.name);
        hasher.update(visitor);
        let hash = hasher.finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        // 64 bits modulo a sum of 32-bit weights: the bias is negligible.
        let mut point = u64::from_le_bytes(first) % total;
        self.arms.iter().find(|arm| {
            let is_in = point < u64::from(arm.weight);
            point = point.saturating_sub(u64::from(arm.weight));
            is_in
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn experiment(name: &str, weights: &[u32]) -> Experiment {
        let arm = |(i, weight): (usize, &u32)| Arm {
            name: format!("arm-{i}"),
            weight: *weight,
            variant: None,
        };
        Experiment { name: name.into(), arms: weights.iter().enumerate().map(arm).collect() }
    }

    #[test]
    fn an_assignment_never_changes() {
        // A change of the function would move visitors between arms during an experiment.
        let experiment = experiment("q4-or-q8", &[1, 1]);
        let arms: String = (0..16)
            .map(|i| &experiment.assign(&format!("visitor-{i}")).unwrap().name[4..])
            .collect();
        insta::assert_snapshot!(arms);
    }

    #[test]
    fn arms_get_their_share_of_visitors() {
        let experiment = experiment("shares", &[1, 0, 3]);
        let mut counts = [0_u32; 3];
        for visitor in 0..4000 {
            let arm = experiment.assign(&visitor.to_string()).unwrap();
            counts[usize::from(arm.name.as_bytes()[4] - b'0')] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((900..1100).contains(&counts[0]), "{counts:?}");
    }

    #[test]
    fn experiments_are_independent_of_each_other() {
        let (a, b) = (experiment("a", &[1, 1]), experiment("b", &[1, 1]));
        let same = (0..1000)
            .filter(|i| {
                a.assign(&i.to_string()).map(|arm| &arm.name)
                    == b.assign(&i.to_string()).map(|arm| &arm.name)
            })
            .count();
        assert!((400..600).contains(&same), "{same} of 1000 are equal");
    }

    #[test]
    fn an_experiment_without_weights_has_no_arm() {
        assert_eq!(experiment("none", &[0, 0]).assign("x"), None);
        assert_eq!(experiment("empty", &[]).assign("x"), None);
    }
}
