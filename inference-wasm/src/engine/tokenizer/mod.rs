//! Text to ids and back, as in the model's training.
//!
//! Owns the rules around the merges: which tokens are special, what begins and ends a sequence, how
//! a conversation becomes text. Everything comes from the model file's own vocabulary and never
//! from a second file that could disagree with it. Where `llama.cpp` and a model's own tokenizer
//! differ, this follows `llama.cpp`, since a GGUF is made for it. Weights and generation are not
//! known here.

mod byte_level;
mod byte_pair;
mod chat_template;
mod nesting;
mod pre_tokenizer;
mod sentence_piece;
mod special;
mod spelling;
mod text_stream;
mod token_bytes;
mod token_types;
mod vocabulary;

use self::byte_pair::BytePair;
use self::chat_template::ChatTemplate;
use self::sentence_piece::SentencePiece;
use self::special::{Fragment, Specials};
pub use self::text_stream::TextStream;
use self::token_bytes::TokenBytes;
use self::token_types::TokenType;
pub use self::vocabulary::Vocabulary;
use crate::engine::model::Metadata;
use crate::protocol::{EngineError, Message, Prompt, Role};

/// A tokenizer that is ready for use.
pub struct Tokenizer {
    algorithm: Algorithm,
    /// Added tokens, recognised in any text.
    user_defined: Specials,
    /// Added tokens and control tokens.
    with_control: Specials,
    bytes: TokenBytes,
    /// Ids that end an answer, sorted.
    stop: Vec<u32>,
    bos: Option<u32>,
    eos: Option<u32>,
    add_bos: bool,
    add_eos: bool,
    chat_template: Option<ChatTemplate>,
}

/// How text between special tokens becomes ids.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a model has one")]
enum Algorithm {
    BytePair(BytePair),
    SentencePiece(SentencePiece),
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").field("vocabulary", &self.vocabulary()).finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// Builds a tokenizer from a model file; fails as [`from_vocabulary`](Self::from_vocabulary)
    /// does.
    pub fn from_gguf(metadata: &Metadata<'_>) -> Result<Self, EngineError> {
        Self::from_vocabulary(&Vocabulary::read(metadata)?)
    }

    /// Builds a tokenizer from a vocabulary.
    ///
    /// Fails with `unsupported-model` for an unknown algorithm, `invalid-model` for a vocabulary
    /// that contradicts itself, and `chat-template` for a template that does not parse.
    pub fn from_vocabulary(vocabulary: &Vocabulary) -> Result<Self, EngineError> {
        vocabulary.check()?;
        // The defaults of each algorithm are `llama.cpp`'s.
        let (algorithm, default_bos, default_eos, add_bos) = match vocabulary.model.as_str() {
            "llama" => {
                let algorithm = Algorithm::SentencePiece(SentencePiece::new(vocabulary)?);
                let id = |id: u32| ((id as usize) < vocabulary.tokens.len()).then_some(id);
                (algorithm, id(1), id(2), vocabulary.add_bos.unwrap_or(true))
            }
            // Files of this family that say otherwise are wrong.
            "gemma4" => (Algorithm::BytePair(BytePair::plain(vocabulary)?), None, None, true),
            _ => {
                let byte_pair = BytePair::byte_level(vocabulary)?;
                let add_bos = vocabulary.add_bos.unwrap_or(byte_pair.add_bos);
                (Algorithm::BytePair(byte_pair), None, None, add_bos)
            }
        };
        let (bos, eos) = (vocabulary.bos.or(default_bos), vocabulary.eos.or(default_eos));
        let text_of = |id: Option<u32>| {
            id.and_then(|id| vocabulary.tokens.get(id as usize)).map_or("", String::as_str)
        };
        let chat_template = vocabulary
            .chat_template
            .as_deref()
            .map(|source| ChatTemplate::new(source, text_of(bos), text_of(eos)))
            .transpose()?;
        let specials = |types: &[TokenType]| Specials::new(vocabulary, types);
        Ok(Self {
            user_defined: specials(&[TokenType::UserDefined])?,
            with_control: specials(&[TokenType::UserDefined, TokenType::Control])?,
            bytes: TokenBytes::new(vocabulary),
            stop: token_types::stop_ids(vocabulary, eos),
            bos,
            eos,
            add_bos,
            add_eos: vocabulary.add_eos.unwrap_or(false),
            algorithm,
            chat_template,
        })
    }

    /// The number of tokens.
    pub fn vocabulary(&self) -> usize {
        self.bytes.count()
    }

    /// Whether this id ends an answer.
    pub fn is_stop(&self, id: u32) -> bool {
        self.stop.binary_search(&id).is_ok()
    }

    /// Whether a sequence begins with the beginning-of-sequence token.
    pub fn adds_bos(&self) -> bool {
        self.add_bos
    }

    /// Whether the model has a chat template.
    pub fn has_chat_template(&self) -> bool {
        self.chat_template.is_some()
    }

    /// Encodes a text. Adds nothing before or after it except the space that SentencePiece requires
    /// at the start and after special tokens.
    ///
    /// With `special`, control tokens written out in the text become those tokens; without it they
    /// are ordinary text. A byte without a token in the vocabulary is left out, as in every
    /// implementation of byte-level BPE.
    pub fn encode(&self, text: &str, special: bool) -> Vec<u32> {
        let added = if special { &self.with_control } else { &self.user_defined };
        let (mut ids, mut begins) = (Vec::new(), true);
        for fragment in added.split(text) {
            match (fragment, &self.algorithm) {
                (Fragment::Token(id), _) => ids.push(id),
                (Fragment::Text(text), Algorithm::BytePair(pairs)) => pairs.encode(text, &mut ids),
                (Fragment::Text(text), Algorithm::SentencePiece(pieces)) => {
                    pieces.encode(text, begins, &mut ids);
                }
            }
            begins = matches!(fragment, Fragment::Token(_));
        }
        ids
    }

    /// Decodes ids to text: without control tokens, with U+FFFD for broken UTF-8, and without the
    /// space that [`encode`](Self::encode) adds at the start.
    ///
    /// A [`TextStream`] keeps that space, since a model's output continues its prompt.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> =
            ids.iter().flat_map(|id| self.token_bytes(*id).iter().copied()).collect();
        let added = match &self.algorithm {
            Algorithm::SentencePiece(pieces) if pieces.add_space => bytes.strip_prefix(b" "),
            Algorithm::SentencePiece(_) | Algorithm::BytePair(_) => None,
        };
        String::from_utf8_lossy(added.unwrap_or(&bytes)).into_owned()
    }

    /// Renders a conversation with the chat template. `add_generation_prompt` opens the model's
    /// turn.
    ///
    /// Fails with `chat-template` if the model has none, or if it refuses the conversation.
    pub fn render_chat(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<String, EngineError> {
        let Some(template) = &self.chat_template else {
            return Err(EngineError::chat_template("the model has no `tokenizer.chat_template`")
                .with_hint("send the prompt as `raw` or as `ids`"));
        };
        template.render(messages, add_generation_prompt)
    }

    /// Encodes a prompt as the model's input.
    ///
    /// Text and conversations go through the chat template, and special tokens are recognised. If
    /// the model requires a beginning-of-sequence token, it is there exactly once, whether the
    /// template writes it or not. An end-of-sequence token that the model requires is added to raw
    /// text only: after an opened turn it would end that turn.
    ///
    /// Fails with `chat-template`, or with `invalid-request` for an id outside the vocabulary and
    /// for a prompt without tokens.
    pub fn prompt_ids(&self, prompt: &Prompt) -> Result<Vec<u32>, EngineError> {
        let ids = match prompt {
            Prompt::Ids(ids) => self.checked(ids)?,
            Prompt::Messages(messages) => self.with_bos(&self.render_chat(messages, true)?),
            Prompt::Text(text) if self.has_chat_template() => {
                let message = Message { role: Role::User, content: text.clone() };
                self.with_bos(&self.render_chat(&[message], true)?)
            }
            Prompt::Raw(text) | Prompt::Text(text) => self.raw(text),
        };
        if ids.is_empty() {
            return Err(EngineError::invalid_request("the prompt has no tokens"));
        }
        Ok(ids)
    }

    /// The bytes of an id; none for control tokens and unknown ids.
    fn token_bytes(&self, id: u32) -> &[u8] {
        self.bytes.get(id)
    }

    fn checked(&self, ids: &[u32]) -> Result<Vec<u32>, EngineError> {
        match ids.iter().enumerate().find(|(_, id)| **id as usize >= self.vocabulary()) {
            Some((at, id)) => Err(EngineError::invalid_request(format!(
                "prompt id {id} at position {at} is not in the vocabulary of {} tokens",
                self.vocabulary()
            ))),
            None => Ok(ids.to_vec()),
        }
    }

    fn raw(&self, text: &str) -> Vec<u32> {
        let mut ids = self.with_bos(text);
        if self.add_eos && ids.last().copied() != self.eos {
            ids.extend(self.eos);
        }
        ids
    }

    fn with_bos(&self, text: &str) -> Vec<u32> {
        let mut ids = self.encode(text, true);
        if self.add_bos
            && let Some(bos) = self.bos
            && ids.first() != Some(&bos)
        {
            ids.insert(0, bos);
        }
        ids
    }
}

#[cfg(test)]
mod tests;
