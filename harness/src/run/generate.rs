//! Prompts on one browser and backend, without a matrix: the first tool of an investigation.
//!
//! Answers are not compared with anything, but the tier proof is checked, since an answer from an
//! unknown tier is worth nothing.

use inference_wasm::protocol::{
    Action, BackendName, CacheType, Finished, GenerateRequest, Generated, LoadRequest, Loaded,
    LogitsWanted, Message, ModelManifest, Prompt, Role, Sampling, SeededFault,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::conversation::{Conversation, Watch, wrong_result};
use crate::drive::page::Page;
use crate::judge::outcome::Failed;
use crate::judge::proof::{self, Demand};
use crate::spec::adapter::AdapterDemand;
use crate::spec::bundle::BundleChoice;
use crate::spec::matrix::Timeouts;

/// One prompt, as a line of a file or from the command line.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct PromptLine {
    /// Repeated in the answer.
    #[serde(default)]
    pub id: Option<Value>,
    /// One user message.
    #[serde(default)]
    pub prompt: Option<String>,
    /// Or a conversation.
    #[serde(default)]
    pub messages: Option<Vec<Message>>,
    /// Or token ids as they are.
    #[serde(default)]
    pub prompt_ids: Option<Vec<u32>>,
    /// Overrides the number of the command line.
    #[serde(default)]
    pub max_tokens: Option<u32>,
}

/// A line of a prompt file that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}:{line}: {problem}")]
pub struct BadPromptLine {
    /// The file.
    pub path: String,
    /// Counts from 1.
    pub line: usize,
    /// The problem: expected, found.
    pub problem: String,
}

/// Reads a file of prompts, one JSON object a line; keys besides those of [`PromptLine`] are left
/// alone, so that an eval set can be used as it is.
///
/// # Errors
/// Every bad line, or that there is none at all.
pub fn read_prompts(path: &str, text: &str) -> Result<Vec<PromptLine>, Vec<BadPromptLine>> {
    let mut prompts = Vec::new();
    let mut bad = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let mut complain = |problem: String| {
            bad.push(BadPromptLine { path: path.to_owned(), line: index + 1, problem });
        };
        match serde_json::from_str::<PromptLine>(line) {
            Err(error) => complain(format!("expected a JSON object: {error}")),
            Ok(prompt) => {
                let given = [
                    prompt.prompt.is_some(),
                    prompt.messages.is_some(),
                    prompt.prompt_ids.is_some(),
                ];
                match given.iter().filter(|given| **given).count() {
                    1 => prompts.push(prompt),
                    count => complain(format!(
                        "expected one of `prompt`, `messages` and `prompt_ids`, found {count}"
                    )),
                }
            }
        }
    }
    if bad.is_empty() && prompts.is_empty() {
        let problem = "expected a prompt, found none".to_owned();
        bad.push(BadPromptLine { path: path.to_owned(), line: 1, problem });
    }
    if bad.is_empty() { Ok(prompts) } else { Err(bad) }
}

/// The settings of all prompts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The backend.
    pub backend: BackendName,
    /// The most tokens to generate.
    pub max_tokens: u32,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Strings that end the output.
    pub stop: Vec<String>,
    /// Text is tokenized as it is, without the chat template.
    pub is_raw: bool,
    /// A message before each prompt.
    pub system: Option<String>,
    /// Answers carry their logits.
    pub wants_logits: bool,
    /// Positions of the key-value cache.
    pub context_tokens: Option<u32>,
    /// Deadlines.
    pub timeouts: Timeouts,
    /// A defect to build in.
    pub fault: Option<SeededFault>,
    /// The bundle that the page loads.
    pub bundle: BundleChoice,
}

impl Settings {
    fn prompt(&self, line: &PromptLine) -> Prompt {
        let message = |role, content: &str| Message { role, content: content.to_owned() };
        match line {
            PromptLine { prompt_ids: Some(ids), .. } => Prompt::Ids(ids.clone()),
            PromptLine { messages: Some(messages), .. } => {
                let system = self.system.iter().map(|text| message(Role::System, text));
                Prompt::Messages(system.chain(messages.iter().cloned()).collect())
            }
            PromptLine { prompt, .. } => {
                let text = prompt.clone().unwrap_or_default();
                match &self.system {
                    _ if self.is_raw => Prompt::Raw(text),
                    None => Prompt::Text(text),
                    Some(system) => Prompt::Messages(vec![
                        message(Role::System, system),
                        message(Role::User, &text),
                    ]),
                }
            }
        }
    }
}

/// A page with a model loaded, ready for prompts.
pub struct Generation<'p, P> {
    conversation: Conversation<'p, P>,
    settings: Settings,
}

/// The answer to a prompt: one JSON object, whose keys are part of the interface.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// The prompt's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Value>,
    /// The prompt as the model saw it.
    pub prompt_ids: Vec<u32>,
    /// The ids of the answer, the stop token included.
    pub generated_ids: Vec<u32>,
    /// The text of the answer.
    pub text: String,
    /// Why generation ended: `stop`, `stop-string`, `length`, `cancelled`.
    pub finish_reason: inference_wasm::protocol::FinishReason,
    /// Milliseconds, tokens, and tokens a second.
    pub timings: Value,
    /// `{"verified": true, "execution": …}`, or `false` with `missing`: what the proof lacks.
    pub proof: Value,
    /// A row for each generated id: the logits that it was chosen from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logits: Option<Vec<Vec<f32>>>,
}

impl Answer {
    /// The tier is proven.
    pub fn is_proven(&self) -> bool {
        self.proof.get("verified") == Some(&Value::Bool(true))
    }
}

impl<'p, P: Page> Generation<'p, P> {
    /// Waits for the page and loads the model, which must be served to the page already.
    ///
    /// # Errors
    /// How the attempt ended instead.
    pub async fn load(
        page: &'p mut P,
        model: ModelManifest,
        settings: Settings,
        progress: &mut dyn FnMut(String),
    ) -> Result<(Self, Loaded), Failed> {
        let mut conversation = Conversation::open(page, settings.timeouts).await?;
        let action = Action::Load(LoadRequest {
            backend: settings.backend,
            model,
            context_tokens: settings.context_tokens,
            cache_type: CacheType::default(),
            threads: settings.bundle.threads_of_load(settings.backend),
            fault: settings.fault,
        });
        let watch = Watch { progress, on_token: &mut |_| {}, cancel_after: None };
        match conversation.command(action, watch).await?.1.finished()? {
            Finished::Load(loaded) => Ok((Self { conversation, settings }, loaded)),
            other => Err(wrong_result("a load", &other)),
        }
    }

    /// Answers one prompt. `on_text` gets the text as it comes.
    ///
    /// # Errors
    /// How the attempt ended instead.
    pub async fn answer(
        &mut self,
        line: &PromptLine,
        on_text: &mut dyn FnMut(&str),
    ) -> Result<Answer, Failed> {
        let logits =
            if self.settings.wants_logits { LogitsWanted::All } else { LogitsWanted::None };
        let action = Action::Generate(GenerateRequest {
            prompt: self.settings.prompt(line),
            max_tokens: line.max_tokens.unwrap_or(self.settings.max_tokens),
            sampling: self.settings.sampling,
            ignore_stop: false,
            stop: self.settings.stop.clone(),
            logits,
        });
        let watch = Watch {
            progress: &mut |_| {},
            on_token: &mut |token| on_text(&token.text),
            cancel_after: None,
        };
        let (command, end) = self.conversation.command(action, watch).await?;
        let generated = match end.finished()? {
            Finished::Generate(generated) => generated,
            other => return Err(wrong_result("a prompt", &other)),
        };
        let rows = self.conversation.take_logits(command).zip(generated.logits);
        let logits = rows.map(|(values, shape)| {
            let columns = (shape.columns as usize).max(1);
            values.chunks(columns).map(<[f32]>::to_vec).collect()
        });
        let demand = Demand {
            backend: self.settings.backend,
            bundle: self.settings.bundle,
            adapter: AdapterDemand::Any,
            probed: None,
        };
        Ok(answer(line.id.clone(), demand, generated, logits))
    }
}

fn answer(
    id: Option<Value>,
    demand: Demand<'_>,
    generated: Generated,
    logits: Option<Vec<Vec<f32>>>,
) -> Answer {
    let timings = generated.timings;
    let proof = match proof::verify(demand, &generated.execution) {
        Ok(proof) => json!({ "verified": true, "execution": proof.execution() }),
        Err(missing) => json!({
            "verified": false,
            "missing": missing.reasons,
            "execution": generated.execution,
        }),
    };
    Answer {
        id,
        prompt_ids: generated.prompt_ids,
        generated_ids: generated.generated_ids,
        text: generated.text,
        finish_reason: generated.finish_reason,
        timings: json!({
            "prefill_ms": timings.prefill_ms,
            "prefill_tokens": timings.prefill_tokens,
            "prefill_tokens_per_second": timings.prefill_rate(),
            "first_token_ms": timings.first_token_ms,
            "decode_ms": timings.decode_ms,
            "decode_tokens": timings.decode_tokens,
            "decode_tokens_per_second": timings.decode_rate(),
            "decode_gpu": timings.decode_gpu,
        }),
        proof,
        logits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_line_is_reported_with_its_number() {
        let text = concat!(
            "{\"prompt\":\"a\",\"answer\":\"not our business\"}\n",
            "\n",
            "nonsense\n",
            "{\"id\":1}\n",
            "{\"prompt\":\"a\",\"prompt_ids\":[1]}\n",
        );
        let bad = read_prompts("p.jsonl", text).unwrap_err();
        let reported: Vec<_> = bad.iter().map(ToString::to_string).collect();
        assert_eq!(
            reported[0],
            "p.jsonl:3: expected a JSON object: expected ident at line 1 column 2"
        );
        assert_eq!(
            reported[1..],
            [
                "p.jsonl:4: expected one of `prompt`, `messages` and `prompt_ids`, found 0",
                "p.jsonl:5: expected one of `prompt`, `messages` and `prompt_ids`, found 2",
            ]
        );
        assert_eq!(
            read_prompts("p.jsonl", "\n").unwrap_err()[0].to_string(),
            "p.jsonl:1: expected a prompt, found none"
        );
    }

    #[test]
    fn an_eval_set_is_a_file_of_prompts() {
        let line = r#"{"id":"fix-001","task":"fix","prompt":"Fix: teh","answer":"The."}"#;
        let prompts = read_prompts("eval.jsonl", line).unwrap();
        assert_eq!(prompts[0].prompt.as_deref(), Some("Fix: teh"));
        assert_eq!(prompts[0].id, Some(json!("fix-001")));
    }
}
