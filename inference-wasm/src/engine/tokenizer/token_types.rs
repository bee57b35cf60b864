//! Which tokens end an answer, and which are of another type than the file says.
//!
//! Files often name only one of several ends of an answer, and mark some as ordinary text. The
//! lists are `llama.cpp`'s (`src/llama-vocab.cpp`).

use super::vocabulary::Vocabulary;

/// What a token is, by the numbers of `tokenizer.ggml.token_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenType {
    /// 1 and 5 (unused): ordinary text.
    Normal,
    /// 2 and 3: steers the model, and is never shown.
    Control,
    /// 4: added text that is never cut.
    UserDefined,
    /// 6: one byte, written `<0x0A>`.
    Byte,
}

/// Tokens that end an answer wherever they come up.
const ENDS: &[&str] = &[
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|calls|>",
    "<|flush|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "</s>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
];

/// Tokens of fill-in-the-middle that end an answer too.
const INFILL_ENDS: &[&str] = &[
    "<|fim_pad|>",
    "<fim-pad>",
    "<fim_pad>",
    "<PAD>",
    "[PAD]",
    "<|fim_repo|>",
    "<|repo_name|>",
    "<fim-repo>",
    "<REPO>",
    "<reponame>",
    "<|file_sep|>",
];

/// Tokens of fill-in-the-middle that do not.
const INFILL: &[&str] = &[
    "<|fim_prefix|>",
    "<fim-prefix>",
    "<fim_prefix>",
    "<｜fim▁begin｜>",
    "<PRE>",
    "▁<PRE>",
    "<|code_prefix|>",
    "<|prefix|>",
    "<|fim_suffix|>",
    "<fim-suffix>",
    "<fim_suffix>",
    "<｜fim▁hole｜>",
    "<SUF>",
    "▁<SUF>",
    "<|code_suffix|>",
    "<|suffix|>",
    "<|fim_middle|>",
    "<fim-middle>",
    "<fim_middle>",
    "<｜fim▁end｜>",
    "<MID>",
    "▁<MID>",
    "<|code_middle|>",
    "<|middle|>",
];

/// Tokens that steer an answer from the inside, and are shown.
const SHOWN: &[&str] = &["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"];

impl Vocabulary {
    /// The type of an id that [`check`](Self::check) has seen.
    pub(super) fn token_type(&self, id: usize) -> TokenType {
        let by_text = self.tokens.get(id).and_then(|text| type_by_text(self, text));
        match (by_text, self.types.get(id)) {
            (Some(by_text), _) => by_text,
            (None, kind) => type_by_number(kind),
        }
    }
}

fn type_by_number(kind: Option<&i32>) -> TokenType {
    match kind {
        Some(2 | 3) => TokenType::Control,
        Some(4) => TokenType::UserDefined,
        Some(6) => TokenType::Byte,
        _ => TokenType::Normal,
    }
}

/// The type of a token whose text says more than the type that the file gives.
fn type_by_text(vocabulary: &Vocabulary, text: &str) -> Option<TokenType> {
    if ENDS.contains(&text) && ends_inside(vocabulary, text) {
        return Some(if text == "</s>" { TokenType::Normal } else { TokenType::UserDefined });
    }
    if SHOWN.contains(&text) {
        return Some(TokenType::UserDefined);
    }
    let is_control = [ENDS, INFILL_ENDS, INFILL].iter().any(|list| list.contains(&text));
    is_control.then_some(TokenType::Control)
}

/// Whether a vocabulary has ends of its own and writes this one inside an answer.
fn ends_inside(vocabulary: &Vocabulary, text: &str) -> bool {
    let has = |text: &str| vocabulary.tokens.iter().any(|token| token == text);
    match text {
        "<|end|>" => {
            (has("<|return|>") && has("<|call|>"))
                || (has("<|flush|>") && (has("<|call|>") || has("<|calls|>")))
        }
        "</s>" => has("<|tool_response>"),
        _ => false,
    }
}

/// The ids that end an answer, in order: `eos`, the others that the file names, and those that are
/// known.
pub(super) fn stop_ids(vocabulary: &Vocabulary, eos: Option<u32>) -> Vec<u32> {
    let known = (0..)
        .zip(&vocabulary.tokens)
        .filter(|(_, token)| {
            let token = token.as_str();
            (ENDS.contains(&token) && !ends_inside(vocabulary, token))
                || INFILL_ENDS.contains(&token)
        })
        .map(|(id, _)| id);
    let named = [eos, vocabulary.eot, vocabulary.eom, vocabulary.fim_pad];
    let named = named.into_iter().chain([vocabulary.fim_rep, vocabulary.fim_sep]).flatten();
    let mut stop: Vec<u32> = known.chain(named).collect();
    stop.sort_unstable();
    stop.dedup();
    stop
}
