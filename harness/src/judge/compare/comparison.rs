//! The result of a comparison: each measured value beside the allowed one.

use serde::{Deserialize, Deserializer, Serialize};

use crate::spec::tolerance::ToleranceClass;

/// A token that was a candidate at some step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its id.
    pub id: u32,
    /// Its text.
    pub text: String,
    /// The reference's logit for it; `None` where it is below what the golden keeps.
    pub reference_logit: Option<f64>,
    /// The engine's logit for it, where logits were asked for.
    pub measured_logit: Option<f64>,
}

/// The first step at which an engine chose another token than the reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Divergence {
    /// The step, from 0.
    pub step: u32,
    /// The choice of the reference; `None` where it had stopped.
    pub reference: Option<Candidate>,
    /// The choice of the engine; `None` where it had stopped.
    pub measured: Option<Candidate>,
    /// How far the reference ranks its own choice above the other, in logits.
    pub margin: Option<f64>,
    /// The margin is within the class's `flip_margin`: a near tie, not an error.
    pub is_explained: bool,
    /// A diff of the two texts, reference first.
    pub text_diff: String,
}

/// Greedy tokens against the reference's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokensComparison {
    /// Steps that the reference took.
    pub reference_steps: u32,
    /// Steps on which both agree before they diverge.
    pub matching_steps: u32,
    /// The first difference.
    pub divergence: Option<Divergence>,
}

/// A row on which engine and reference rank different tokens highest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flip {
    /// The row, from 0.
    pub row: u32,
    /// The reference's choice.
    pub reference: Candidate,
    /// The engine's.
    pub measured: Candidate,
    /// How far the reference ranks its own choice above the other, in logits.
    #[serde(deserialize_with = "nan_if_null")]
    pub margin: f64,
    /// The margin is within the class's `flip_margin`.
    pub is_explained: bool,
}

/// Teacher-forced logits against the reference's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogitsComparison {
    /// Number of rows.
    pub rows: u32,
    /// The tolerance class, with the allowed values.
    pub class: ToleranceClass,
    /// Mean KL divergence, in nats.
    #[serde(deserialize_with = "nan_if_null")]
    pub mean_kld: f64,
    /// Maximum KL divergence, in nats.
    #[serde(deserialize_with = "nan_if_null")]
    pub max_kld: f64,
    /// The row of the maximum KL divergence.
    pub max_kld_row: u32,
    /// The largest centred difference of a logit.
    #[serde(deserialize_with = "nan_if_null")]
    pub max_abs: f64,
    /// The row of that logit.
    pub max_abs_row: u32,
    /// The token id of that logit.
    pub max_abs_id: u32,
    /// Rows on which both have the same highest logit.
    pub top1_agreement: u32,
    /// The rows on which they have different ones.
    pub flips: Vec<Flip>,
}

/// Any comparison that a step of a scenario makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "kebab-case")]
pub enum Comparison {
    /// Greedy tokens.
    Tokens(TokensComparison),
    /// Teacher-forced logits.
    Logits(LogitsComparison),
    /// Anything else that a scenario expects: an error kind, a finish reason, a count.
    Expectation {
        /// The compared quantity.
        what: String,
        /// The value that the scenario expects.
        expected: String,
        /// The measured value.
        measured: String,
    },
}

/// A comparison that failed: where, by which metric, measured, allowed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mismatch {
    /// The step of the scenario and the case, ready to print: `step 2 (generate), case fix-002`.
    pub place: String,
    /// The metric that failed: `token at step 7`, `mean KLD`, `finish reason`, …
    pub metric: String,
    /// The measured value, ready to print.
    pub measured: String,
    /// The allowed value, ready to print.
    pub allowed: String,
    /// More lines for people: both candidates with logits and margin, a diff.
    pub detail: String,
    /// The whole comparison.
    pub comparison: Comparison,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { place, metric, measured, allowed, detail, .. } = self;
        write!(f, "{place}: {metric}: measured {measured}, allowed {allowed}")?;
        if !detail.is_empty() {
            write!(f, "\n{}", detail.trim_end())?;
        }
        Ok(())
    }
}

/// JSON writes NaN and infinity as `null`; a log that contains them must still be readable.
fn nan_if_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
