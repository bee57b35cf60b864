//! Which tokens end an answer, and which are control tokens whatever their type says.
//!
//! Files often name only one of several ends of an answer, and mark some as ordinary text. Both
//! lists are `llama.cpp`'s (`src/llama-vocab.cpp`).

use super::vocabulary::Vocabulary;

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

/// Whether a token of this text is a control token whatever its type says.
pub(super) fn is_control(text: &str) -> bool {
    [ENDS, INFILL_ENDS, INFILL].iter().any(|list| list.contains(&text))
}

/// The ids that end an answer, in order: `eos`, the others that the file names, and those that are
/// known.
pub(super) fn stop_ids(vocabulary: &Vocabulary, eos: Option<u32>) -> Vec<u32> {
    let has = |text: &str| vocabulary.tokens.iter().any(|token| token == text);
    // Formats with an end of their own write these two inside an answer.
    let ends_inside = |text: &str| match text {
        "<|end|>" => {
            (has("<|return|>") && has("<|call|>"))
                || (has("<|flush|>") && (has("<|call|>") || has("<|calls|>")))
        }
        "</s>" => has("<|tool_response>"),
        _ => false,
    };
    let known = (0..)
        .zip(&vocabulary.tokens)
        .filter(|(_, token)| {
            let token = token.as_str();
            (ENDS.contains(&token) && !ends_inside(token)) || INFILL_ENDS.contains(&token)
        })
        .map(|(id, _)| id);
    let named = [eos, vocabulary.eot, vocabulary.eom, vocabulary.fim_pad];
    let named = named.into_iter().chain([vocabulary.fim_rep, vocabulary.fim_sep]).flatten();
    let mut stop: Vec<u32> = known.chain(named).collect();
    stop.sort_unstable();
    stop.dedup();
    stop
}
