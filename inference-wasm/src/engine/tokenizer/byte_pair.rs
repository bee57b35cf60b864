//! Byte-pair encoding: words of a text, joined from characters by ranked merges.
//!
//! The merges are the `tokenizers` crate's. What comes before them is done here: the cut into
//! words, and how a word is spelled in the alphabet of the vocabulary.

use tokenizers::Model;
use tokenizers::models::bpe::{BPE, Vocab};

use super::pre_tokenizer::{Cutter, LINES, PreTokenizer};
use super::vocabulary::Vocabulary;
use super::{SPACE, byte_level, invalid};
use crate::protocol::EngineError;

/// The merges of one vocabulary.
#[derive(Debug)]
pub(super) struct BytePair {
    merges: BPE,
    cutter: Cutter,
    spelling: Spelling,
    /// Whether a sequence begins with `bos` where the file does not say.
    pub(super) add_bos: bool,
}

/// How text is written in the vocabulary.
#[derive(Debug)]
enum Spelling {
    /// Each byte as one visible character, by byte.
    ByteLevel(Box<[char; 256]>),
    /// As it is, spaces as [`SPACE`]; what has no token is spelled in bytes.
    Plain,
}

impl BytePair {
    /// Byte-level, as GPT-2 has it: `tokenizer.ggml.model = gpt2`.
    pub(super) fn byte_level(vocabulary: &Vocabulary) -> Result<Self, EngineError> {
        let spelling = Spelling::ByteLevel(Box::new(byte_level::alphabet()));
        Self::new(vocabulary, PreTokenizer::named(&vocabulary.pre)?, spelling)
    }

    /// Across the spaces of a line, as SentencePiece has it: `tokenizer.ggml.model = gemma4`.
    pub(super) fn plain(vocabulary: &Vocabulary) -> Result<Self, EngineError> {
        Self::new(vocabulary, LINES, Spelling::Plain)
    }

    fn new(
        vocabulary: &Vocabulary,
        pre_tokenizer: PreTokenizer,
        spelling: Spelling,
    ) -> Result<Self, EngineError> {
        let tokens = vocabulary.tokens.iter().cloned().zip(0..);
        let merges = BPE::builder()
            .vocab_and_merges(tokens.collect::<Vocab>(), vocabulary.pairs()?)
            .byte_fallback(matches!(spelling, Spelling::Plain))
            .ignore_merges(pre_tokenizer.ignore_merges)
            // The crate's cache belongs to the thread and outlives the model; prompts are short.
            .cache_capacity(0)
            .build()
            .map_err(|error| invalid(format!("the vocabulary can't be used: {error}")))?;
        let (cutter, add_bos) = (pre_tokenizer.cutter(), pre_tokenizer.add_bos);
        Ok(Self { merges, cutter, spelling, add_bos })
    }

    /// Appends the ids of a text.
    pub(super) fn encode(&self, text: &str, ids: &mut Vec<u32>) {
        match &self.spelling {
            Spelling::ByteLevel(alphabet) => {
                for word in self.cutter.cut(text) {
                    let spelled: String =
                        word.bytes().map(|byte| alphabet[usize::from(byte)]).collect();
                    self.merge(&spelled, ids);
                }
            }
            Spelling::Plain => {
                for line in self.cutter.cut(&text.replace(' ', SPACE)) {
                    // Line breaks are not merged one by one.
                    let breaks = line.starts_with('\n').then(|| self.merges.token_to_id(line));
                    match breaks.flatten() {
                        Some(id) => ids.push(id),
                        None => self.merge(line, ids),
                    }
                }
            }
        }
    }

    fn merge(&self, word: &str, ids: &mut Vec<u32>) {
        let tokens = self
            .merges
            .tokenize(word)
            .expect("merging fails only with dropout or an unknown token, and neither is set");
        ids.extend(tokens.into_iter().map(|token| token.id));
    }
}
