//! Text to ids and back, as the model was trained.
//!
//! Owns the rules around the merges: which tokens are special, what begins and ends a sequence,
//! how a conversation becomes text. The merges themselves are the `tokenizers` crate's, built
//! from the model file's own vocabulary and never from a second file that could disagree with it.
//! Weights and generation are not known here.

mod byte_level;
mod chat_template;
mod pre_tokenizer;
mod text_stream;
mod vocabulary;

use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::{AddedToken, AddedVocabulary, Model, NormalizerWrapper, OffsetType, PreTokenizer};

use self::chat_template::ChatTemplate;
pub use self::text_stream::TextStream;
use self::vocabulary::TokenType;
pub use self::vocabulary::Vocabulary;
use crate::engine::model::Metadata;
use crate::protocol::{EngineError, EngineErrorKind, Message, Prompt, Role};

/// Control tokens that end an answer wherever they come up, besides those that the file names:
/// files often name only one of two. The list is that of `llama.cpp` for byte-level vocabularies.
const STOP_TEXTS: [&str; 6] =
    ["<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<|endoftext|>", "<|end_of_text|>"];

/// A tokenizer that is ready for use.
pub struct Tokenizer {
    bpe: BPE,
    /// Cuts text into the words within which pieces are merged.
    splitter: PreTokenizerWrapper,
    /// Added tokens that are found in any text.
    user_defined: AddedVocabulary,
    /// Those and the control tokens.
    with_control: AddedVocabulary,
    /// The bytes of each id; none for a control token.
    bytes: Vec<Vec<u8>>,
    /// Ids that end an answer, in order.
    stop: Vec<u32>,
    bos: Option<u32>,
    eos: Option<u32>,
    add_bos: bool,
    add_eos: bool,
    chat_template: Option<ChatTemplate>,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").field("vocabulary", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// Builds a tokenizer from a model file; errors as of
    /// [`from_vocabulary`](Self::from_vocabulary).
    pub fn from_gguf(metadata: &Metadata<'_>) -> Result<Self, EngineError> {
        Self::from_vocabulary(&Vocabulary::read(metadata)?)
    }

    /// Builds a tokenizer from what a model file says.
    ///
    /// Fails with `unsupported-model` for an algorithm that is not known, `invalid-model` for a
    /// vocabulary that contradicts itself, and `chat-template` for a template that does not parse.
    pub fn from_vocabulary(vocabulary: &Vocabulary) -> Result<Self, EngineError> {
        let merges = vocabulary.check()?;
        let splitter = pre_tokenizer::pre_tokenizer(&vocabulary.pre)?;
        let ids = vocabulary.tokens.iter().cloned().zip(0..).collect::<Vec<(String, u32)>>();
        let bpe = BPE::builder()
            .vocab_and_merges(ids.into_iter().collect::<tokenizers::models::bpe::Vocab>(), merges)
            // The crate's cache belongs to the thread and outlives the model; prompts are short.
            .cache_capacity(0)
            .build()
            .map_err(|error| invalid(format!("the vocabulary can't be used: {error}")))?;

        let text_of = |id: Option<u32>| {
            id.and_then(|id| vocabulary.tokens.get(id as usize)).map_or("", String::as_str)
        };
        let chat_template = vocabulary
            .chat_template
            .as_deref()
            .map(|source| {
                ChatTemplate::new(source, text_of(vocabulary.bos), text_of(vocabulary.eos))
            })
            .transpose()?;
        Ok(Self {
            user_defined: added(vocabulary, &bpe, &[TokenType::UserDefined])?,
            with_control: added(vocabulary, &bpe, &[TokenType::UserDefined, TokenType::Control])?,
            bytes: shown_bytes(vocabulary),
            stop: stop_ids(vocabulary),
            bos: vocabulary.bos,
            eos: vocabulary.eos,
            add_bos: vocabulary.add_bos,
            add_eos: vocabulary.add_eos,
            bpe,
            splitter,
            chat_template,
        })
    }

    /// Number of tokens.
    pub fn vocabulary(&self) -> usize {
        self.bytes.len()
    }

    /// Whether this id ends an answer.
    pub fn is_stop(&self, id: u32) -> bool {
        self.stop.binary_search(&id).is_ok()
    }

    /// Whether the model brings a chat template.
    pub fn has_chat_template(&self) -> bool {
        self.chat_template.is_some()
    }

    /// The ids of a text, with nothing put before or after it.
    ///
    /// With `special`, control tokens that are written out in the text are those tokens; without,
    /// they are ordinary text. A byte that has no token in the vocabulary is left out, as every
    /// implementation of byte-level BPE does.
    #[expect(clippy::missing_panics_doc, reason = "it can't")]
    pub fn encode(&self, text: &str, special: bool) -> Vec<u32> {
        let added = if special { &self.with_control } else { &self.user_defined };
        let mut pieces = added.extract_and_normalize(None::<&NormalizerWrapper>, text);
        self.splitter
            .pre_tokenize(&mut pieces)
            .and_then(|()| pieces.tokenize(|piece| self.bpe.tokenize(piece.get())))
            .and_then(|()| pieces.into_encoding(None, 0, OffsetType::None))
            .expect("merging fails only with dropout or an unknown token, and neither is set")
            .get_ids()
            .to_vec()
    }

    /// The text of ids as it would be shown: without control tokens, U+FFFD for broken UTF-8.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> =
            ids.iter().flat_map(|id| self.token_bytes(*id).iter().copied()).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A conversation as the text that the model was trained on. `add_generation_prompt` opens
    /// the model's turn.
    ///
    /// Fails with `chat-template` where the model has none, or it refuses the conversation.
    pub fn render_chat(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<String, EngineError> {
        let Some(template) = &self.chat_template else {
            return Err(EngineError {
                kind: EngineErrorKind::ChatTemplate,
                message: "the model has no `tokenizer.chat_template`".into(),
                hint: Some("send the prompt as `raw` or as `ids`".into()),
            });
        };
        template.render(messages, add_generation_prompt)
    }

    /// What the model gets to see of a prompt.
    ///
    /// Text and conversations go through the chat template, special tokens are recognised, and a
    /// beginning-of-sequence token that the model wants stands there exactly once, whether the
    /// template writes it or not. An end-of-sequence token that the model wants goes to raw text
    /// only: behind an opened turn it would end it.
    ///
    /// Fails with `chat-template`, or with `invalid-request` for an id that is not in the
    /// vocabulary and for a prompt without any token.
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
            return Err(invalid_request("the prompt has no tokens".into()));
        }
        Ok(ids)
    }

    /// The bytes that an id shows; none for control tokens and ids that do not exist.
    fn token_bytes(&self, id: u32) -> &[u8] {
        self.bytes.get(id as usize).map_or(&[], Vec::as_slice)
    }

    fn checked(&self, ids: &[u32]) -> Result<Vec<u32>, EngineError> {
        match ids.iter().enumerate().find(|(_, id)| **id as usize >= self.vocabulary()) {
            Some((at, id)) => Err(invalid_request(format!(
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

/// The tokens of these types, to be found in a text before it is cut.
fn added(
    vocabulary: &Vocabulary,
    bpe: &BPE,
    types: &[TokenType],
) -> Result<AddedVocabulary, EngineError> {
    let tokens = vocabulary.tokens.iter().enumerate().filter_map(|(id, token)| {
        let kind = vocabulary.token_type(id);
        let special = kind == TokenType::Control;
        types.contains(&kind).then(|| AddedToken::from(token.as_str(), special).normalized(false))
    });
    let mut added = AddedVocabulary::new();
    added
        .add_tokens(tokens, bpe, None::<&NormalizerWrapper>)
        .map_err(|error| invalid(format!("the special tokens can't be used: {error}")))?;
    Ok(added)
}

fn shown_bytes(vocabulary: &Vocabulary) -> Vec<Vec<u8>> {
    let tokens = vocabulary.tokens.iter().enumerate();
    tokens
        .map(|(id, token)| match vocabulary.token_type(id) {
            TokenType::Control => Vec::new(),
            TokenType::UserDefined => token.clone().into_bytes(),
            TokenType::Normal => byte_level::token_bytes(token),
        })
        .collect()
}

fn stop_ids(vocabulary: &Vocabulary) -> Vec<u32> {
    let known = (0..).zip(&vocabulary.tokens).filter(|(id, token)| {
        vocabulary.token_type(*id as usize) == TokenType::Control
            && STOP_TEXTS.contains(&token.as_str())
    });
    let mut stop: Vec<u32> =
        known.map(|(id, _)| id).chain(vocabulary.eos).chain(vocabulary.eot).collect();
    stop.sort_unstable();
    stop.dedup();
    stop
}

fn invalid(message: String) -> EngineError {
    EngineError { kind: EngineErrorKind::InvalidModel, message, hint: None }
}

fn invalid_request(message: String) -> EngineError {
    EngineError { kind: EngineErrorKind::InvalidRequest, message, hint: None }
}

#[cfg(test)]
mod tests;
