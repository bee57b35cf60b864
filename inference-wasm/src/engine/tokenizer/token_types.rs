//! The types of tokens, including corrections of the file's, and the tokens that end an answer.
//!
//! Files often name only one of several tokens that end an answer, and mark others as ordinary
//! text. The lists are `llama.cpp`'s (`src/llama-vocab.cpp`).

use super::vocabulary::Vocabulary;

/// The type of a token, by the numbers of `tokenizer.ggml.token_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenType {
    /// 1 and 5 (unused): ordinary text.
    Normal,
    /// 2 and 3: steers the model, and is never shown.
    Control,
    /// 4: added text that is never split.
    UserDefined,
    /// 6: one byte, written `<0x0A>`.
    Byte,
}

/// Tokens that end an answer wherever they occur.
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

/// Fill-in-the-middle tokens that also end an answer.
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

/// Fill-in-the-middle tokens that do not.
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

/// Tokens that structure an answer from within, and are shown.
const SHOWN: &[&str] = &["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"];

impl Vocabulary {
    /// The type of an id of a checked vocabulary.
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

/// The type of a token whose text is more reliable than the file's type.
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

/// Whether a vocabulary has other end tokens and uses this one inside an answer.
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

/// The ids that end an answer, sorted: `eos`, the others that the file names, and the known ones.
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
