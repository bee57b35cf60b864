//! The prompts: as many tokens as asked for, another text for every round, the same for every
//! engine.
//!
//! Every prompt exists as token ids and as a text of which the model's own tokenizer makes these
//! very ids, for peers that take nothing but text. Two prompts in a row part with their first token
//! (after a beginning-of-sequence token, where the model wants one), so that no engine can take any
//! of it from its cache of the round before.

use inference_wasm::engine::model::{Gguf, HyperParameters};
use inference_wasm::engine::tokenizer::Tokenizer;
use inference_wasm::protocol::Prompt;
use serde::Deserialize;

/// How many places are tried for a prompt that its text gives back. One in a few is right.
const PLACES: usize = 2000;

/// One prompt, in both shapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BenchPrompt {
    /// As token ids.
    pub ids: Vec<u32>,
    /// The text of these ids.
    pub text: String,
}

/// What prompts are taken from, endlessly.
pub struct Prompts {
    tokenizer: Tokenizer,
    ids: Vec<u32>,
    /// Positions that the model was made for.
    context: u32,
    at: usize,
    last: Option<u32>,
}

impl Prompts {
    /// Of a model file, with the prompts of an eval set as text: an object a line, with `prompt`.
    pub fn of(gguf: &[u8], eval: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Line {
            prompt: String,
        }
        let gguf = Gguf::open(gguf).map_err(|error| error.to_string())?;
        let context = HyperParameters::read(&gguf).map_err(|error| error.to_string())?.context;
        let tokenizer = Tokenizer::from_gguf(&gguf.metadata).map_err(|error| error.to_string())?;
        let lines: Result<Vec<Line>, _> = eval.lines().map(serde_json::from_str).collect();
        let lines = lines.map_err(|error| format!("the eval set: {error}"))?;
        let texts: Vec<_> = lines.into_iter().map(|line| line.prompt).collect();
        let ids = tokenizer.encode(&texts.join("\n"), false);
        if ids.is_empty() {
            return Err("the eval set has no text".to_owned());
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
    /// No text of so many tokens was found.
    pub fn next(&mut self, tokens: u32) -> Result<BenchPrompt, String> {
        let raw = |text: &str| self.tokenizer.prompt_ids(&Prompt::Raw(text.to_owned()));
        let empty = raw("a").map_err(|error| error.to_string())?;
        // What the model puts around any text.
        let around = empty.len() - self.tokenizer.encode("a", false).len();
        let wanted = (tokens as usize).saturating_sub(around).max(1);
        let mut at = self.at;
        for _ in 0..PLACES {
            let (start, window) = window(&self.ids, at, self.last, wanted);
            let text = self.text(&window);
            let ids = raw(&text).map_err(|error| error.to_string())?;
            if self.tokenizer.encode(&text, false) == window && ids.len() == tokens as usize {
                self.at = start + wanted;
                self.last = window.first().copied();
                return Ok(BenchPrompt { ids, text });
            }
            at = start + 1;
        }
        Err(format!("no text of {tokens} tokens was found in the eval set"))
    }
}

/// `tokens` ids from `at` on, around and around, the first one not `last` if that can be had;
/// and where they begin.
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
    fn a_prompts_text_is_made_of_its_very_ids() {
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
    fn prompts_go_around_and_never_begin_alike() {
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
        // Nothing else is there to begin with.
        assert_eq!(window(&[7], 5, Some(7), 2), (5, vec![7, 7]));
    }
}
