//! A vocabulary as the model file brings it: tokens, their types, merges and the ids with a
//! meaning. Checked here, before the tokenizer is built from it; what it does to text is decided
//! in [`Tokenizer`](super::Tokenizer).

use std::collections::HashMap;

use crate::engine::model::{Metadata, ModelError};
use crate::protocol::{EngineError, EngineErrorKind};

/// What `tokenizer.*` in a GGUF says, unchecked.
///
/// The keys are those of the [GGUF specification]; each field names its own.
///
/// [GGUF specification]: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vocabulary {
    /// `tokenizer.ggml.model`: the algorithm.
    pub model: String,
    /// `tokenizer.ggml.pre`: how text is cut before the merges.
    pub pre: String,
    /// `tokenizer.ggml.tokens`: the text of each id, in the byte-level alphabet.
    pub tokens: Vec<String>,
    /// `tokenizer.ggml.token_type`: one for each id; empty when absent, then all are normal.
    pub types: Vec<i32>,
    /// `tokenizer.ggml.merges`: `left right`, the first the most wanted.
    pub merges: Vec<String>,
    /// `tokenizer.ggml.bos_token_id`: the beginning of a sequence.
    pub bos: Option<u32>,
    /// `tokenizer.ggml.eos_token_id`: the end of a sequence.
    pub eos: Option<u32>,
    /// `tokenizer.ggml.eot_token_id`: the end of a turn.
    pub eot: Option<u32>,
    /// `tokenizer.ggml.padding_token_id`.
    pub pad: Option<u32>,
    /// `tokenizer.ggml.add_bos_token`: whether every sequence begins with `bos`.
    pub add_bos: bool,
    /// `tokenizer.ggml.add_eos_token`: whether every sequence ends with `eos`.
    pub add_eos: bool,
    /// `tokenizer.chat_template`: Jinja source.
    pub chat_template: Option<String>,
}

/// What a token is, by the numbers of `tokenizer.ggml.token_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenType {
    /// 1, 5 (unused) and 6 (byte): ordinary text.
    Normal,
    /// 2 and 3: steers the model, and is never shown.
    Control,
    /// 4: added text that is never cut.
    UserDefined,
}

impl Vocabulary {
    /// Takes the keys out of a model file. Fails only where a key has a value of another type;
    /// everything else is left to [`check`](Self::check).
    pub fn read(metadata: &Metadata<'_>) -> Result<Self, ModelError> {
        let strings = |key: &str| -> Result<Vec<String>, ModelError> {
            let values = metadata.get::<Vec<&str>>(key)?.unwrap_or_default();
            Ok(values.into_iter().map(str::to_owned).collect())
        };
        let id = |name: &str| metadata.get::<u32>(&format!("tokenizer.ggml.{name}_token_id"));
        Ok(Self {
            model: metadata.require::<&str>("tokenizer.ggml.model")?.to_owned(),
            pre: metadata.get_or::<&str>("tokenizer.ggml.pre", "")?.to_owned(),
            tokens: strings("tokenizer.ggml.tokens")?,
            types: metadata.get("tokenizer.ggml.token_type")?.unwrap_or_default(),
            merges: strings("tokenizer.ggml.merges")?,
            bos: id("bos")?,
            eos: id("eos")?,
            eot: id("eot")?,
            pad: id("padding")?,
            add_bos: metadata.get_or("tokenizer.ggml.add_bos_token", false)?,
            add_eos: metadata.get_or("tokenizer.ggml.add_eos_token", false)?,
            chat_template: metadata.get::<&str>("tokenizer.chat_template")?.map(str::to_owned),
        })
    }

    /// Checks everything that building and using a tokenizer relies on, and returns the pairs
    /// of the merges.
    pub(super) fn check(&self) -> Result<Vec<(String, String)>, EngineError> {
        if self.model != "gpt2" {
            return Err(EngineError {
                kind: EngineErrorKind::UnsupportedModel,
                message: format!("unknown `tokenizer.ggml.model`: `{}`", self.model),
                hint: Some("expected one of: `gpt2`".into()),
            });
        }
        let ids = self.ids()?;
        self.check_types()?;
        for (key, id) in self.named_ids() {
            if id.is_some_and(|id| id as usize >= self.tokens.len()) {
                let (id, count) = (id.unwrap_or_default(), self.tokens.len());
                return Err(invalid(format!("`{key}` is {id}, but there are {count} tokens")));
            }
        }
        self.merges.iter().enumerate().map(|(at, merge)| pair(at, merge, &ids)).collect()
    }

    /// The type of an id that [`check`](Self::check) has seen.
    pub(super) fn token_type(&self, id: usize) -> TokenType {
        match self.types.get(id) {
            Some(2 | 3) => TokenType::Control,
            Some(4) => TokenType::UserDefined,
            _ => TokenType::Normal,
        }
    }

    /// Id of each text.
    fn ids(&self) -> Result<HashMap<&str, u32>, EngineError> {
        if self.tokens.is_empty() {
            return Err(invalid("`tokenizer.ggml.tokens` is missing or empty".into()));
        }
        let mut ids = HashMap::with_capacity(self.tokens.len());
        for (id, token) in self.tokens.iter().enumerate() {
            let id = u32::try_from(id)
                .map_err(|_| invalid("`tokenizer.ggml.tokens` has more than 2^32 tokens".into()))?;
            if let Some(first) = ids.insert(token.as_str(), id) {
                return Err(invalid(format!(
                    "`tokenizer.ggml.tokens` has `{token}` twice, as {first} and as {id}"
                )));
            }
        }
        Ok(ids)
    }

    fn check_types(&self) -> Result<(), EngineError> {
        let (types, tokens) = (self.types.len(), self.tokens.len());
        if types != 0 && types != tokens {
            return Err(invalid(format!(
                "`tokenizer.ggml.token_type` has {types} entries, expected one for each of \
                 {tokens} tokens"
            )));
        }
        match self.types.iter().enumerate().find(|(_, kind)| !(1..=6).contains(*kind)) {
            Some((id, kind)) => Err(invalid(format!(
                "`tokenizer.ggml.token_type` of token {id} is {kind}, expected 1 to 6"
            ))),
            None => Ok(()),
        }
    }

    fn named_ids(&self) -> [(&'static str, Option<u32>); 4] {
        [
            ("tokenizer.ggml.bos_token_id", self.bos),
            ("tokenizer.ggml.eos_token_id", self.eos),
            ("tokenizer.ggml.eot_token_id", self.eot),
            ("tokenizer.ggml.padding_token_id", self.pad),
        ]
    }
}

/// The two sides of one merge. Both sides and what they make must be tokens.
fn pair(at: usize, merge: &str, ids: &HashMap<&str, u32>) -> Result<(String, String), EngineError> {
    let wrong =
        |why: &str| invalid(format!("merge {at} of `tokenizer.ggml.merges`, `{merge}`: {why}"));
    let (left, right) = merge.split_once(' ').ok_or_else(|| wrong("expected `left right`"))?;
    let whole = format!("{left}{right}");
    match [left, right, &whole].into_iter().find(|token| !ids.contains_key(token)) {
        Some(missing) => Err(wrong(&format!("`{missing}` is not a token"))),
        None => Ok((left.into(), right.into())),
    }
}

fn invalid(message: String) -> EngineError {
    EngineError { kind: EngineErrorKind::InvalidModel, message, hint: None }
}

#[cfg(test)]
mod tests {
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
    fn a_right_one_passes() {
        assert_eq!(small().check().unwrap(), [("a".to_owned(), "b".to_owned())]);
        assert_eq!(small().token_type(0), TokenType::Control);
        assert_eq!(small().token_type(3), TokenType::Normal);
    }

    #[test]
    fn each_broken_rule_has_its_message() {
        type Break = fn(&mut Vocabulary);
        let cases: [(Break, &str); 9] = [
            (|v| v.model = "llama".into(), "unknown `tokenizer.ggml.model`: `llama`"),
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
            assert_eq!(vocabulary.check().unwrap_err().message, message);
        }
    }
}
