//! How text is cut into words before the merges: one table from `tokenizer.ggml.pre` to the
//! sequence of cutters. A name that is not in it is an error, since a wrong cut gives wrong ids
//! without any sign of it.

use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;

use crate::protocol::{EngineError, EngineErrorKind};

/// The names that are known, in the order of messages.
pub(super) const KNOWN: [&str; 2] = ["gpt-2", "smollm"];

/// The cutter for one value of `tokenizer.ggml.pre`.
pub(super) fn pre_tokenizer(pre: &str) -> Result<PreTokenizerWrapper, EngineError> {
    // No space is put before the first word, and the GPT-2 pattern does the cutting.
    let gpt2 = ByteLevel::new(false, true, true);
    match pre {
        "gpt-2" => Ok(gpt2.into()),
        // Digits one by one, whatever stands around them, and then as GPT-2.
        "smollm" => Ok(Sequence::new(vec![Digits::new(true).into(), gpt2.into()]).into()),
        _ => Err(EngineError {
            kind: EngineErrorKind::UnsupportedModel,
            message: format!("unknown `tokenizer.ggml.pre`: `{pre}`"),
            hint: Some(format!("expected one of: `{}`", KNOWN.join("`, `"))),
        }),
    }
}

#[cfg(test)]
mod tests {
    use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

    use super::*;

    fn words(pre: &str, text: &str) -> Vec<String> {
        let mut cut = PreTokenizedString::from(text);
        pre_tokenizer(pre).unwrap().pre_tokenize(&mut cut).unwrap();
        cut.get_splits(OffsetReferential::Normalized, OffsetType::Byte)
            .into_iter()
            .map(|(word, _, _)| word.to_owned())
            .collect()
    }

    #[test]
    fn digits_stay_together_or_not() {
        assert_eq!(words("gpt-2", "in 2024 it's"), ["in", "Ġ2024", "Ġit", "'s"]);
        assert_eq!(words("smollm", "in 2024 it's"), ["in", "Ġ", "2", "0", "2", "4", "Ġit", "'s"]);
    }

    #[test]
    fn every_known_name_is_in_the_table() {
        for pre in KNOWN {
            assert!(pre_tokenizer(pre).is_ok(), "{pre}");
        }
        let error = pre_tokenizer("llama-bpe").unwrap_err();
        assert_eq!(error.kind, EngineErrorKind::UnsupportedModel);
        assert_eq!(error.hint.as_deref(), Some("expected one of: `gpt-2`, `smollm`"));
    }
}
