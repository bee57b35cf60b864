//! The prompts: of the requested length, another text for every round, the same for every engine.
//!
//! Every prompt exists as token ids and as a text that the model's own tokenizer turns into exactly
//! these ids, for peers that take only text. Two prompts in a row differ in their first token (after
//! a beginning-of-sequence token, if the model wants one), so that no engine can take any of it from
//! its cache of the round before.

use inference_wasm::engine::model::{Gguf, HyperParameters, ModelError};
use inference_wasm::engine::tokenizer::Tokenizer;
use inference_wasm::protocol::{EngineError, Prompt};
use serde::Deserialize;

/// Places that are tried for a prompt whose text gives the same ids; one in a few does.
const PLACES: usize = 2000;

/// One prompt, as ids and as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BenchPrompt {
    /// As token ids.
    pub ids: Vec<u32>,
    /// The text of these ids.
    pub text: String,
}

/// Why there is no prompt.
#[derive(Debug, thiserror::Error)]
pub enum PromptsError {
    /// The model can't be read.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The model's tokenizer can't be read, or can't encode a prompt.
    #[error(transparent)]
    Tokenizer(#[from] EngineError),
    /// A line of the eval set is not an object with `prompt`.
    #[error("the eval set: {0}")]
    Eval(#[from] serde_json::Error),
    /// The eval set is empty.
    #[error("the eval set has no text")]
    NoText,
    /// No text of this length was found.
    #[error("no text of {tokens} tokens was found in the eval set")]
    NoPrompt {
        /// Tokens of the prompt.
        tokens: u32,
    },
}

/// An endless supply of prompts.
pub struct Prompts {
    tokenizer: Tokenizer,
    ids: Vec<u32>,
    /// Positions that the model was made for.
    context: u32,
    at: usize,
    last: Option<u32>,
}

impl Prompts {
    /// The prompts for a model file, out of an eval set: an object with `prompt` on each line.
    pub fn of(gguf: &[u8], eval: &str) -> Result<Self, PromptsError> {
        #[derive(Deserialize)]
        struct Line {
            prompt: String,
        }
        let gguf = Gguf::open(gguf)?;
        let context = HyperParameters::read(&gguf)?.context;
        let tokenizer = Tokenizer::from_gguf(&gguf.metadata)?;
        let lines: Result<Vec<Line>, _> = eval.lines().map(serde_json::from_str).collect();
        let texts: Vec<_> = lines?.into_iter().map(|line| line.prompt).collect();
        let ids = tokenizer.encode(&texts.join("\n"), false);
        if ids.is_empty() {
            return Err(PromptsError::NoText);
        }
        Ok(Self { tokenizer, ids, context: context as u32, at: 0, last: None })
    }

    /// Positions that the model was made for.
    pub fn context(&self) -> u32 {
        self.context
    }

    /// The text of ids.
    pub fn text(&self, ids: &[u32]) -> String {
        self.tokenizer.decode(ids)
    }

    /// The next prompt, of `tokens` tokens.
    ///
    /// # Errors
    /// No text of `tokens` tokens was found.
    pub fn next(&mut self, tokens: u32) -> Result<BenchPrompt, PromptsError> {
        let raw = |text: &str| self.tokenizer.prompt_ids(&Prompt::Raw(text.to_owned()));
        let empty = raw("a")?;
        // Tokens that the model adds around any text.
        let around = empty.len() - self.tokenizer.encode("a", false).len();
        let wanted = (tokens as usize).saturating_sub(around).max(1);
        let mut at = self.at;
        for _ in 0..PLACES {
            let (start, window) = window(&self.ids, at, self.last, wanted);
            let text = self.text(&window);
            let ids = raw(&text)?;
            if self.tokenizer.encode(&text, false) == window && ids.len() == tokens as usize {
                self.at = start + wanted;
                self.last = window.first().copied();
                return Ok(BenchPrompt { ids, text });
            }
            at = start + 1;
        }
        Err(PromptsError::NoPrompt { tokens })
    }
}

/// The next `tokens` ids from `at` on, cyclically, and where they begin; the first one is not `last`
/// if any other exists.
fn window(ids: &[u32], at: usize, last: Option<u32>, tokens: usize) -> (usize, Vec<u32>) {
    let cycle = |from: usize| ids.iter().copied().cycle().skip(from % ids.len().max(1));
    let skipped = cycle(at).take(ids.len()).position(|id| Some(id) != last).unwrap_or(0);
    let start = at + skipped;
    (start, cycle(start).take(tokens).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompts_text_gives_exactly_its_ids() {
        let gguf = include_bytes!("../../../fixtures/models/scribe-low-Q8_0.gguf");
        let eval = include_str!("../../../fixtures/models/eval.jsonl");
        let mut prompts = Prompts::of(gguf, eval).unwrap();
        assert_eq!(prompts.context(), 512);
        let mut last = Vec::new();
        for tokens in [2, 7, 32, 480, 480] {
            let BenchPrompt { ids, text } = prompts.next(tokens).unwrap();
            assert_eq!(ids.len(), tokens as usize);
            assert_eq!(prompts.tokenizer.prompt_ids(&Prompt::Raw(text)).unwrap(), ids);
            assert_ne!(
                ids.iter().take(2).collect::<Vec<_>>(),
                last.iter().take(2).collect::<Vec<_>>()
            );
            last = ids;
        }
    }

    #[test]
    fn prompts_are_cyclic_and_begin_differently() {
        let ids = [1, 2, 2, 3];
        for (at, last, tokens, expected) in [
            (0, None, 3, (0, vec![1, 2, 2])),
            (3, Some(1), 3, (3, vec![3, 1, 2])),
            (1, Some(2), 2, (3, vec![3, 1])),
            (9, None, 2, (9, vec![2, 2])),
            (0, None, 6, (0, vec![1, 2, 2, 3, 1, 2])),
        ] {
            assert_eq!(window(&ids, at, last, tokens), expected);
        }
        // There is no other id to begin with.
        assert_eq!(window(&[7], 5, Some(7), 2), (5, vec![7, 7]));
    }
}
