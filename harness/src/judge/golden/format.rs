//! The format of a golden file, and the contradictions that make one unusable.

use std::collections::BTreeMap;

use inference_wasm::protocol::{FinishReason, Message};
use serde::{Deserialize, Serialize};

/// Raised whenever the format changes its shape or its meaning.
pub const GOLDEN_FORMAT: u32 = 1;

/// The reference's answers to all cases of one scenario on one model: the content of
/// `golden/<model>/<scenario>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// [`GOLDEN_FORMAT`].
    pub format: u32,
    /// Name of the model in the catalogue.
    pub model: String,
    /// SHA-256 of the model file that the reference read, in hex.
    pub model_sha256: String,
    /// Name of the scenario: `tokens/greedy`.
    pub scenario: String,
    /// The program that computed it.
    pub reference: Reference,
    /// One entry for each case, in the order of the prompt set.
    pub cases: Vec<GoldenCase>,
    /// The file with whole rows of logits, if the scenario needs them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logits: Option<LogitsFile>,
}

/// The program that computed a golden.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Name of the reference.
    pub name: String,
    /// Version of Python and of each package that takes part in the arithmetic or the text.
    pub versions: BTreeMap<String, String>,
    /// SHA-256 over the reference's own sources, in hex.
    pub source_sha256: String,
}

/// Rows of logits beside a golden, as safetensors: a tensor [generated, vocabulary] of F32 under
/// the id of each case. Row `r` is what `generated_ids[r]` is chosen from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogitsFile {
    /// File name, in the folder of the golden.
    pub file: String,
    /// SHA-256 in hex.
    pub sha256: String,
}

/// A request to the reference and to an engine: a case of a prompt set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseRequest {
    /// Unique in a golden.
    pub id: String,
    /// The conversation, through the model's chat template.
    pub messages: Vec<Message>,
    /// The most tokens to generate.
    pub max_tokens: u32,
}

/// The reference's answer to one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenCase {
    /// Unique in a golden.
    pub id: String,
    /// The conversation.
    pub messages: Vec<Message>,
    /// The most tokens that were to be generated.
    pub max_tokens: u32,
    /// The conversation through chat template and tokenizer.
    pub prompt_ids: Vec<u32>,
    /// The greedy choices of the reference, the stop token included.
    pub generated_ids: Vec<u32>,
    /// The generated text, without the stop token.
    pub text: String,
    /// [`FinishReason::Stop`] or [`FinishReason::Length`].
    pub finish_reason: FinishReason,
    /// One for each generated id: a summary of the row that it was chosen from.
    pub steps: Vec<Step>,
}

/// A summary of one row of the reference's logits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Logarithm of the sum of the exponentials of all logits: a token's log-probability is its
    /// logit minus this.
    pub logsumexp: f64,
    /// The highest logits, highest first.
    pub top: Vec<TopToken>,
}

/// A token that the reference ranks among the first: `[id, logit, text]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopToken(pub u32, pub f64, pub String);

impl Step {
    /// The entry of a token, if it is among the highest.
    pub fn find(&self, id: u32) -> Option<&TopToken> {
        self.top.iter().find(|token| token.0 == id)
    }
}

impl GoldenCase {
    /// The request.
    pub fn request(&self) -> CaseRequest {
        let Self { id, messages, max_tokens, .. } = self;
        CaseRequest { id: id.clone(), messages: messages.clone(), max_tokens: *max_tokens }
    }

    /// The sequence whose teacher-forced logits the golden has, and the position of the first
    /// row: what a [`ScoreRequest`](inference_wasm::protocol::ScoreRequest) takes.
    pub fn scored_sequence(&self) -> (Vec<u32>, u32) {
        let fed = self.generated_ids.len().saturating_sub(1);
        let generated = self.generated_ids.iter().take(fed);
        let ids = self.prompt_ids.iter().chain(generated).copied().collect();
        (ids, self.prompt_ids.len().saturating_sub(1) as u32)
    }

    /// The first contradiction between parts of the case.
    fn inconsistency(&self) -> Option<String> {
        let Self { id, generated_ids, steps, max_tokens, finish_reason, .. } = self;
        let problem = |what: String| Some(format!("case `{id}`: {what}"));
        if self.prompt_ids.is_empty() || generated_ids.is_empty() {
            return problem("expected prompt and generated ids, found none".to_owned());
        }
        let (ids, rows) = (generated_ids.len(), steps.len());
        if ids != rows {
            return problem(format!(
                "expected a step for each of {ids} generated ids, found {rows}"
            ));
        }
        for (number, (chosen, step)) in generated_ids.iter().zip(steps).enumerate() {
            let best = step.top.first().map(|token| token.0);
            if best != Some(*chosen) {
                return problem(format!(
                    "step {number}: expected the generated id {chosen} on top, found {best:?}"
                ));
            }
            let finite = step.top.iter().all(|token| token.1.is_finite());
            if !finite || !step.logsumexp.is_finite() {
                return problem(format!("step {number}: expected finite logits"));
            }
        }
        let is_full = ids == *max_tokens as usize;
        match finish_reason {
            FinishReason::Stop if ids <= *max_tokens as usize => None,
            FinishReason::Length if is_full => None,
            _ => problem(format!(
                "`{finish_reason:?}` after {ids} of {max_tokens} tokens contradicts itself"
            )),
        }
    }
}

impl Golden {
    /// The answer to a case.
    pub fn case(&self, id: &str) -> Option<&GoldenCase> {
        self.cases.iter().find(|case| case.id == id)
    }

    /// The first violation of the format.
    pub(crate) fn inconsistency(&self) -> Option<String> {
        if self.format != GOLDEN_FORMAT {
            return Some(format!("expected format {GOLDEN_FORMAT}, found {}", self.format));
        }
        for (number, case) in self.cases.iter().enumerate() {
            if self.cases.iter().take(number).any(|earlier| earlier.id == case.id) {
                return Some(format!("duplicate case `{}`", case.id));
            }
        }
        self.cases.iter().find_map(GoldenCase::inconsistency)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use inference_wasm::protocol::Role;

    use super::*;

    /// Two steps over a vocabulary of four: `b` (id 1), then the stop token (id 3).
    pub(crate) fn case() -> GoldenCase {
        let top = |entries: &[(u32, f64, &str)]| {
            entries
                .iter()
                .map(|(id, logit, text)| TopToken(*id, *logit, (*text).to_owned()))
                .collect()
        };
        GoldenCase {
            id: "c".to_owned(),
            messages: vec![Message { role: Role::User, content: "a".to_owned() }],
            max_tokens: 4,
            prompt_ids: vec![0, 2],
            generated_ids: vec![1, 3],
            text: "b".to_owned(),
            finish_reason: FinishReason::Stop,
            steps: vec![
                Step { logsumexp: 2.1, top: top(&[(1, 2.0, "b"), (2, 1.75, "c"), (0, -1.0, "a")]) },
                Step { logsumexp: 3.1, top: top(&[(3, 3.0, "<|eos|>"), (1, 0.5, "b")]) },
            ],
        }
    }

    pub(crate) fn golden() -> Golden {
        Golden {
            format: GOLDEN_FORMAT,
            model: "m".to_owned(),
            model_sha256: "ab".to_owned(),
            scenario: "tokens/greedy".to_owned(),
            reference: Reference {
                name: "numpy-float64".to_owned(),
                versions: BTreeMap::new(),
                source_sha256: "cd".to_owned(),
            },
            cases: vec![case()],
            logits: None,
        }
    }

    #[test]
    fn contradictions_are_found() {
        assert_eq!(golden().inconsistency(), None);
        let broken = |change: fn(&mut Golden)| {
            let mut golden = golden();
            change(&mut golden);
            golden.inconsistency().unwrap_or_default()
        };
        for (change, expected) in [
            ((|g| g.format = 2) as fn(&mut Golden), "expected format 1, found 2"),
            (|g| g.cases.push(case()), "duplicate case `c`"),
            (
                |g| g.cases[0].steps.truncate(1),
                "case `c`: expected a step for each of 2 generated ids, found 1",
            ),
            (
                |g| g.cases[0].generated_ids[0] = 2,
                "case `c`: step 0: expected the generated id 2 on top, found Some(1)",
            ),
            (
                |g| g.cases[0].steps[1].logsumexp = f64::NAN,
                "case `c`: step 1: expected finite logits",
            ),
            (
                |g| g.cases[0].finish_reason = FinishReason::Length,
                "case `c`: `Length` after 2 of 4 tokens contradicts itself",
            ),
            (
                |g| g.cases[0].prompt_ids.clear(),
                "case `c`: expected prompt and generated ids, found none",
            ),
        ] {
            assert_eq!(broken(change), expected);
        }
    }

    #[test]
    fn a_score_request_feeds_everything_but_the_last_token() {
        assert_eq!(case().scored_sequence(), (vec![0, 2, 1], 1));
    }

    #[test]
    fn the_format_is_as_documented() {
        let text = serde_json::to_string(&golden().cases[0].steps[1]).unwrap();
        assert_eq!(text, r#"{"logsumexp":3.1,"top":[[3,3.0,"<|eos|>"],[1,0.5,"b"]]}"#);
        let unknown = serde_json::from_str::<Step>(r#"{"logsumexp":1,"top":[],"x":1}"#);
        assert!(unknown.unwrap_err().to_string().contains("unknown field `x`"));
    }
}
