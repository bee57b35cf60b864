//! The record of the client's transitions.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::client::Transition;

/// The transitions so far.
///
/// [`Display`](fmt::Display) prints one line per transition, without times, so that the text is the
/// same on every machine:
///
/// ```text
/// probe    -> choose   webgl  g1 probe-failed
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Trace {
    transitions: Vec<Transition>,
}

impl Trace {
    /// The maximum number of transitions; when it is reached, the older half is dropped.
    const LONGEST: usize = 4096;

    /// Appends a transition.
    pub fn push(&mut self, transition: Transition) {
        if self.transitions.len() == Self::LONGEST {
            self.transitions.drain(..Self::LONGEST / 2);
        }
        self.transitions.push(transition);
    }

    /// The transitions, in order.
    pub fn transitions(&self) -> &[Transition] {
        &self.transitions
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Transition { from, to, tier, generation, reason, .. } in &self.transitions {
            writeln!(f, "{from:<8} -> {to:<8} {tier:<6} g{generation} {reason}")?;
        }
        Ok(())
    }
}
