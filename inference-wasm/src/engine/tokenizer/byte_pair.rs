//! Byte-pair encoding: the words of a text, joined from characters by ranked merges.
//!
//! The `tokenizers` crate does the merges. This module does what precedes them: splitting into
//! words, and spelling a word in the alphabet of the vocabulary.

use std::collections::HashSet;

use tokenizers::Model;
use tokenizers::models::bpe::{BPE, Vocab};

use super::byte_level;
use super::pre_tokenizer::{Cutter, LINES, PreTokenizer};
use super::spelling::SPACE;
use super::token_types::TokenType;
use super::vocabulary::Vocabulary;
use crate::protocol::EngineError;

/// The merges of one vocabulary.
#[derive(Debug)]
pub(super) struct BytePair {
    merges: BPE,
    /// Ids of control tokens.
    control: HashSet<u32>,
    cutter: Cutter,
    /// Whether a word that is a token becomes that token, whatever the merges give.
    ignore_merges: bool,
    spelling: Spelling,
    /// Whether a sequence begins with `bos` if the file does not say.
    pub(super) add_bos: bool,
}

/// How text is written in the vocabulary.
#[derive(Debug)]
enum Spelling {
    /// Each byte as one visible character; `None` where that is not a token.
    ByteLevel(Box<[Option<char>; 256]>),
    /// Unchanged, except that spaces are [`SPACE`]; text without a token is spelled in bytes.
    Plain,
}

impl BytePair {
    /// Byte-level, as in GPT-2: `tokenizer.ggml.model = gpt2`.
    pub(super) fn byte_level(vocabulary: &Vocabulary) -> Result<Self, EngineError> {
        let known: HashSet<&str> = vocabulary.tokens.iter().map(String::as_str).collect();
        let is_known = |c: &char| known.contains(c.encode_utf8(&mut [0; 4]) as &str);
        let alphabet = byte_level::alphabet().map(|c| Some(c).filter(is_known));
        let spelling = Spelling::ByteLevel(Box::new(alphabet));
        Self::new(vocabulary, PreTokenizer::named(&vocabulary.pre)?, spelling)
    }

    /// Across the spaces of a line, as in SentencePiece: `tokenizer.ggml.model = gemma4`.
    pub(super) fn plain(vocabulary: &Vocabulary) -> Result<Self, EngineError> {
        Self::new(vocabulary, LINES, Spelling::Plain)
    }

    fn new(
        vocabulary: &Vocabulary,
        pre_tokenizer: PreTokenizer,
        spelling: Spelling,
    ) -> Result<Self, EngineError> {
        let is_control = |id: &u32| vocabulary.token_type(*id as usize) == TokenType::Control;
        let control = (0..vocabulary.tokens.len() as u32).filter(is_control).collect();
        let tokens = vocabulary.tokens.iter().cloned().zip(0..);
        let merges = BPE::builder()
            .vocab_and_merges(tokens.collect::<Vocab>(), vocabulary.pairs()?)
            .byte_fallback(matches!(spelling, Spelling::Plain))
            // The crate's cache belongs to the thread and outlives the model; prompts are short.
            .cache_capacity(0)
            .build()
            .map_err(|error| {
                EngineError::invalid_model(format!("the vocabulary can't be used: {error}"))
            })?;
        Ok(Self {
            merges,
            control,
            cutter: pre_tokenizer.cutter(),
            ignore_merges: pre_tokenizer.ignore_merges,
            spelling,
            add_bos: pre_tokenizer.add_bos,
        })
    }

    /// Appends the ids of a text.
    pub(super) fn encode(&self, text: &str, ids: &mut Vec<u32>) {
        match &self.spelling {
            Spelling::ByteLevel(alphabet) => {
                let spell = |byte: &u8| alphabet[usize::from(*byte)];
                for word in self.cutter.cut(text) {
                    // A byte without a token is left out, and nothing is merged across it.
                    for known in word.as_bytes().split(|byte| spell(byte).is_none()) {
                        self.merge(&known.iter().filter_map(spell).collect::<String>(), ids);
                    }
                }
            }
            Spelling::Plain => {
                for line in self.cutter.cut(&text.replace(' ', SPACE)) {
                    // A run of line breaks that is a token is not merged one by one.
                    let breaks = line.starts_with('\n').then(|| self.whole(line));
                    match breaks.flatten() {
                        Some(id) => ids.push(id),
                        None => self.merge(line, ids),
                    }
                }
            }
        }
    }

    /// The token that equals a word. A control token may be needed as a part of merges, but here
    /// the user has only written its text.
    fn whole(&self, word: &str) -> Option<u32> {
        self.merges.token_to_id(word).filter(|id| !self.control.contains(id))
    }

    fn merge(&self, word: &str, ids: &mut Vec<u32>) {
        if self.ignore_merges
            && let Some(id) = self.whole(word)
        {
            ids.push(id);
            return;
        }
        let tokens = self
            .merges
            .tokenize(word)
            .expect("merging fails only with dropout or an unknown token, and neither is set");
        ids.extend(tokens.into_iter().map(|token| token.id));
    }
}
