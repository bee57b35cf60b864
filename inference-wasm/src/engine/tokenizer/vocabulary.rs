//! A vocabulary as stored in the model file: tokens, their types, merges and named ids. Checked
//! here, before the tokenizer is built from it; [`Tokenizer`](super::Tokenizer) decides what it
//! does to text.

use std::collections::{HashMap, HashSet};

use crate::engine::model::{Metadata, ModelError};
use crate::protocol::EngineError;

/// The keys `tokenizer.*` of a GGUF, unchecked.
///
/// Each field names its key in the [GGUF specification].
///
/// [GGUF specification]: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vocabulary {
    /// `general.name`: the name of the model.
    pub name: String,
    /// `tokenizer.ggml.model`: the algorithm.
    pub model: String,
    /// `tokenizer.ggml.pre`: how text is split before the merges.
    pub pre: String,
    /// `tokenizer.ggml.tokens`: the text of each id, in the alphabet of the algorithm.
    pub tokens: Vec<String>,
    /// `tokenizer.ggml.token_type`: one for each id; if empty, all are normal.
    pub types: Vec<i32>,
    /// `tokenizer.ggml.scores`: the preference for each id; only `llama` has them.
    pub scores: Vec<f32>,
    /// `tokenizer.ggml.merges`: `left right`, by falling preference.
    pub merges: Vec<String>,
    /// `tokenizer.ggml.bos_token_id`: the beginning of a sequence.
    pub bos: Option<u32>,
    /// `tokenizer.ggml.eos_token_id`: the end of a sequence.
    pub eos: Option<u32>,
    /// `tokenizer.ggml.eot_token_id`: the end of a turn.
    pub eot: Option<u32>,
    /// `tokenizer.ggml.eom_token_id`: the end of a message.
    pub eom: Option<u32>,
    /// `tokenizer.ggml.padding_token_id`.
    pub pad: Option<u32>,
    /// `tokenizer.ggml.fim_pad_token_id`.
    pub fim_pad: Option<u32>,
    /// `tokenizer.ggml.fim_rep_token_id`.
    pub fim_rep: Option<u32>,
    /// `tokenizer.ggml.fim_sep_token_id`.
    pub fim_sep: Option<u32>,
    /// `tokenizer.ggml.add_bos_token`: whether every sequence begins with `bos`; if absent, the
    /// algorithm decides.
    pub add_bos: Option<bool>,
    /// `tokenizer.ggml.add_eos_token`: whether every sequence ends with `eos`; if absent, no.
    pub add_eos: Option<bool>,
    /// `tokenizer.ggml.add_space_prefix`: whether `llama` adds a space before text; if absent, yes.
    pub add_space_prefix: Option<bool>,
    /// Keys whose value would change the ids and is not supported.
    pub unsupported_keys: Vec<String>,
    /// `tokenizer.chat_template`: Jinja source.
    pub chat_template: Option<String>,
}

/// The supported algorithms, in the order of messages.
const MODELS: [&str; 3] = ["gpt2", "llama", "gemma4"];

/// Why known values of `tokenizer.ggml.model` are not supported.
const UNSUPPORTED_MODELS: [(&str, &str); 5] = [
    ("bert", "WordPiece is for models that embed text and do not generate it"),
    ("t5", "SentencePiece unigram is for models with an encoder, which are not supported"),
    ("rwkv", "RWKV is not supported"),
    ("plamo2", "PLaMo-2 is not supported"),
    ("none", "the file has no vocabulary"),
];

/// Keys that change the ids if set, and that no algorithm of [`MODELS`] supports.
const UNSUPPORTED_KEYS: [&str; 3] = [
    "tokenizer.ggml.remove_extra_whitespaces",
    "tokenizer.ggml.normalizer.lowercase",
    "tokenizer.ggml.normalizer.strip_accents",
];

impl Vocabulary {
    /// Reads the keys from a model file. Fails only if a key has another type;
    /// [`check`](Self::check) does the rest.
    pub fn read(metadata: &Metadata<'_>) -> Result<Self, ModelError> {
        let strings = |key: &str| -> Result<Vec<String>, ModelError> {
            let values = metadata.get::<Vec<&str>>(key)?.unwrap_or_default();
            Ok(values.into_iter().map(str::to_owned).collect())
        };
        let id = |name: &str| metadata.get::<u32>(&format!("tokenizer.ggml.{name}_token_id"));
        let mut unsupported_keys = Vec::new();
        for key in UNSUPPORTED_KEYS {
            if metadata.get_or(key, false)? {
                unsupported_keys.push(format!("{key} = true"));
            }
        }
        let charsmap = "tokenizer.ggml.precompiled_charsmap";
        unsupported_keys.extend(metadata.contains(charsmap).then(|| charsmap.to_owned()));
        Ok(Self {
            name: metadata.get_or::<&str>("general.name", "")?.to_owned(),
            model: metadata.require::<&str>("tokenizer.ggml.model")?.to_owned(),
            pre: metadata.get_or::<&str>("tokenizer.ggml.pre", "")?.to_owned(),
            tokens: strings("tokenizer.ggml.tokens")?,
            types: metadata.get("tokenizer.ggml.token_type")?.unwrap_or_default(),
            scores: metadata.get("tokenizer.ggml.scores")?.unwrap_or_default(),
            merges: strings("tokenizer.ggml.merges")?,
            bos: id("bos")?,
            eos: id("eos")?,
            eot: id("eot")?,
            eom: id("eom")?,
            pad: id("padding")?,
            fim_pad: id("fim_pad")?,
            fim_rep: id("fim_rep")?,
            fim_sep: id("fim_sep")?,
            add_bos: metadata.get("tokenizer.ggml.add_bos_token")?,
            add_eos: metadata.get("tokenizer.ggml.add_eos_token")?,
            add_space_prefix: metadata.get("tokenizer.ggml.add_space_prefix")?,
            unsupported_keys,
            chat_template: metadata.get::<&str>("tokenizer.chat_template")?.map(str::to_owned),
        })
    }

    /// Checks everything that a tokenizer relies on, except what only one algorithm has.
    pub(super) fn check(&self) -> Result<(), EngineError> {
        self.check_model()?;
        if let Some(key) = self.unsupported_keys.first() {
            return Err(EngineError::unsupported_model(format!(
                "`{key}` is not supported with `{}`",
                self.model
            ))
            .with_hint("the ids would be wrong; convert the model again"));
        }
        self.check_tokens()?;
        self.check_types()?;
        for (key, id) in self.named_ids() {
            if id.is_some_and(|id| id as usize >= self.tokens.len()) {
                let (id, count) = (id.unwrap_or_default(), self.tokens.len());
                return Err(EngineError::invalid_model(format!(
                    "`{key}` is {id}, but there are {count} tokens"
                )));
            }
        }
        Ok(())
    }

    /// The pairs of the merges. Both sides and the result must be tokens, and each pair must be
    /// unique.
    pub(super) fn pairs(&self) -> Result<Vec<(String, String)>, EngineError> {
        let tokens: HashSet<&str> = self.tokens.iter().map(String::as_str).collect();
        let mut seen = HashSet::with_capacity(self.merges.len());
        self.merges
            .iter()
            .enumerate()
            .map(|(at, merge)| {
                if !seen.insert(merge.as_str()) {
                    return Err(wrong_merge(at, merge, "it is a duplicate"));
                }
                pair(at, merge, &tokens)
            })
            .collect()
    }

    fn check_model(&self) -> Result<(), EngineError> {
        let model = self.model.as_str();
        if MODELS.contains(&model) {
            return Ok(());
        }
        let known = UNSUPPORTED_MODELS.iter().find(|(name, _)| *name == model);
        let message = known.map_or_else(
            || format!("unknown `tokenizer.ggml.model`: `{model}`"),
            |(_, why)| format!("`tokenizer.ggml.model` is `{model}`: {why}"),
        );
        Err(EngineError::unsupported_model(message)
            .with_hint(format!("expected one of: `{}`", MODELS.join("`, `"))))
    }

    /// Tokens must exist, be unique and not be empty.
    fn check_tokens(&self) -> Result<(), EngineError> {
        if self.tokens.is_empty() {
            return Err(EngineError::invalid_model("`tokenizer.ggml.tokens` is missing or empty"));
        }
        let mut ids = HashMap::with_capacity(self.tokens.len());
        for (id, token) in self.tokens.iter().enumerate() {
            if token.is_empty() {
                return Err(EngineError::invalid_model(format!(
                    "token {id} of `tokenizer.ggml.tokens` is empty"
                )));
            }
            if let Some(first) = ids.insert(token.as_str(), id) {
                return Err(EngineError::invalid_model(format!(
                    "`tokenizer.ggml.tokens` has `{token}` twice, as {first} and as {id}"
                )));
            }
        }
        Ok(())
    }

    fn check_types(&self) -> Result<(), EngineError> {
        let (types, tokens) = (self.types.len(), self.tokens.len());
        if types != 0 && types != tokens {
            return Err(EngineError::invalid_model(format!(
                "`tokenizer.ggml.token_type` has {types} entries, expected one for each of \
                 {tokens} tokens"
            )));
        }
        match self.types.iter().enumerate().find(|(_, kind)| !(1..=6).contains(*kind)) {
            Some((id, kind)) => Err(EngineError::invalid_model(format!(
                "`tokenizer.ggml.token_type` of token {id} is {kind}, expected 1 to 6"
            ))),
            None => Ok(()),
        }
    }

    fn named_ids(&self) -> [(&'static str, Option<u32>); 8] {
        [
            ("tokenizer.ggml.bos_token_id", self.bos),
            ("tokenizer.ggml.eos_token_id", self.eos),
            ("tokenizer.ggml.eot_token_id", self.eot),
            ("tokenizer.ggml.eom_token_id", self.eom),
            ("tokenizer.ggml.padding_token_id", self.pad),
            ("tokenizer.ggml.fim_pad_token_id", self.fim_pad),
            ("tokenizer.ggml.fim_rep_token_id", self.fim_rep),
            ("tokenizer.ggml.fim_sep_token_id", self.fim_sep),
        ]
    }
}

/// The two sides of one merge.
fn pair(at: usize, merge: &str, tokens: &HashSet<&str>) -> Result<(String, String), EngineError> {
    let Some((left, right)) = merge.split_once(' ') else {
        return Err(wrong_merge(at, merge, "expected `left right`"));
    };
    let whole = format!("{left}{right}");
    match [left, right, &whole].into_iter().find(|token| !tokens.contains(token)) {
        Some(missing) => Err(wrong_merge(at, merge, &format!("`{missing}` is not a token"))),
        None => Ok((left.into(), right.into())),
    }
}

fn wrong_merge(at: usize, merge: &str, why: &str) -> EngineError {
    EngineError::invalid_model(format!("merge {at} of `tokenizer.ggml.merges`, `{merge}`: {why}"))
}

#[cfg(test)]
mod tests {
    use super::super::token_types::TokenType;
    use super::*;

    fn small() -> Vocabulary {
        Vocabulary {
            model: "gpt2".into(),
            pre: "gpt-2".into(),
            tokens: ["<|bos|>", "a", "b", "ab"].map(str::to_owned).to_vec(),
            types: vec![3, 1, 1, 1],
            merges: vec!["a b".into()],
            bos: Some(0),
            ..Vocabulary::default()
        }
    }

    #[test]
    fn a_valid_one_passes() {
        small().check().unwrap();
        assert_eq!(small().pairs().unwrap(), [("a".to_owned(), "b".to_owned())]);
        assert_eq!(small().token_type(0), TokenType::Control);
        assert_eq!(small().token_type(3), TokenType::Normal);
    }

    #[test]
    fn each_broken_rule_has_its_message() {
        type Break = fn(&mut Vocabulary);
        let cases: [(Break, &str); 14] = [
            (|v| v.model = "x".into(), "unknown `tokenizer.ggml.model`: `x`"),
            (
                |v| v.model = "bert".into(),
                "`tokenizer.ggml.model` is `bert`: WordPiece is for models that embed text and do \
                 not generate it",
            ),
            (
                |v| v.unsupported_keys.push("some.key".into()),
                "`some.key` is not supported with `gpt2`",
            ),
            (|v| v.tokens[1].clear(), "token 1 of `tokenizer.ggml.tokens` is empty"),
            (
                |v| v.fim_sep = Some(9),
                "`tokenizer.ggml.fim_sep_token_id` is 9, but there are 4 tokens",
            ),
            (
                |v| v.merges.push("a b".into()),
                "merge 1 of `tokenizer.ggml.merges`, `a b`: it is a duplicate",
            ),
            (|v| v.tokens.clear(), "`tokenizer.ggml.tokens` is missing or empty"),
            (|v| v.tokens[2] = "a".into(), "`tokenizer.ggml.tokens` has `a` twice, as 1 and as 2"),
            (
                |v| v.types.truncate(2),
                "`tokenizer.ggml.token_type` has 2 entries, expected one for each of 4 tokens",
            ),
            (|v| v.types[1] = 9, "`tokenizer.ggml.token_type` of token 1 is 9, expected 1 to 6"),
            (|v| v.bos = Some(4), "`tokenizer.ggml.bos_token_id` is 4, but there are 4 tokens"),
            (
                |v| v.merges[0] = "ab".into(),
                "merge 0 of `tokenizer.ggml.merges`, `ab`: expected `left right`",
            ),
            (
                |v| v.merges[0] = "a c".into(),
                "merge 0 of `tokenizer.ggml.merges`, `a c`: `c` is not a token",
            ),
            (
                |v| v.merges.push("ab ab".into()),
                "merge 1 of `tokenizer.ggml.merges`, `ab ab`: `abab` is not a token",
            ),
        ];
        for (break_it, message) in cases {
            let mut vocabulary = small();
            break_it(&mut vocabulary);
            let error = vocabulary.check().and_then(|()| vocabulary.pairs().map(drop));
            assert_eq!(error.unwrap_err().message, message);
        }
    }
}
