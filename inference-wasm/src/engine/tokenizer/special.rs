//! Tokens recognised in a text before it is split: control tokens and added text.
//!
//! A token's type decides and, for files with wrong types, its text; both as in `llama.cpp`, for
//! which a GGUF is made.

use aho_corasick::{AhoCorasick, MatchKind};

use super::token_types::TokenType;
use super::vocabulary::Vocabulary;
use crate::protocol::EngineError;

/// Part of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fragment<'t> {
    /// Text that is still to be split.
    Text(&'t str),
    /// A token that was written out in the text.
    Token(u32),
}

/// Finds tokens in a text: the longest first, anywhere, and of one length the leftmost.
#[derive(Debug)]
pub(super) struct Specials {
    /// Tokens of one length each, the longest first.
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    finder: AhoCorasick,
    /// By pattern.
    tokens: Vec<(u32, After)>,
}

/// What happens to white space after a token.
#[derive(Debug, Clone, Copy, PartialEq)]
enum After {
    Stays,
    /// It is part of the token.
    Goes,
}

impl Specials {
    /// The tokens of these types.
    pub(super) fn new(vocabulary: &Vocabulary, types: &[TokenType]) -> Result<Self, EngineError> {
        let strips = strips_right(vocabulary);
        let mut tokens: Vec<(&str, u32, After)> = (0..)
            .zip(&vocabulary.tokens)
            .filter(|(id, _)| types.contains(&vocabulary.token_type(*id as usize)))
            .map(|(id, token)| {
                let keeps = ["<unk>", "<s>", "<|endoftext|>"].contains(&token.as_str());
                (token.as_str(), id, if strips && !keeps { After::Goes } else { After::Stays })
            })
            .collect();
        tokens.sort_by_key(|(text, id, _)| (std::cmp::Reverse(text.len()), *id));
        let levels = tokens.chunk_by(|(one, ..), (other, ..)| one.len() == other.len());
        let level = |tokens: &[(&str, u32, After)]| {
            let finder = AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostFirst)
                .build(tokens.iter().map(|(text, ..)| text))
                .map_err(|error| {
                    EngineError::invalid_model(format!("the special tokens can't be used: {error}"))
                })?;
            let tokens = tokens.iter().map(|(_, id, after)| (*id, *after)).collect();
            Ok(Level { finder, tokens })
        };
        Ok(Self { levels: levels.map(level).collect::<Result<_, EngineError>>()? })
    }

    /// Splits a text; no fragment is empty.
    pub(super) fn split<'t>(&self, text: &'t str) -> Vec<Fragment<'t>> {
        let mut fragments = vec![Fragment::Text(text)];
        for level in &self.levels {
            let mut parts = Vec::with_capacity(fragments.len());
            for fragment in fragments {
                match fragment {
                    Fragment::Text(text) => level.split(text, &mut parts),
                    token @ Fragment::Token(_) => parts.push(token),
                }
            }
            fragments = parts;
        }
        fragments.retain(|fragment| *fragment != Fragment::Text(""));
        fragments
    }
}

impl Level {
    fn split<'t>(&self, text: &'t str, parts: &mut Vec<Fragment<'t>>) {
        let mut at = 0;
        for found in self.finder.find_iter(text) {
            // It starts in white space that belongs to the previous token.
            if found.start() < at {
                continue;
            }
            let (id, after) = self.tokens[found.pattern().as_usize()];
            parts.extend([Fragment::Text(&text[at..found.start()]), Fragment::Token(id)]);
            at = found.end();
            if after == After::Goes {
                let rest = &text[at..];
                at += rest.len() - rest.trim_start_matches(is_space).len();
            }
        }
        parts.push(Fragment::Text(&text[at..]));
    }
}

/// C's `isspace`.
fn is_space(c: char) -> bool {
    matches!(c, '\t'..='\r' | ' ')
}

/// Phi-3 was trained with special tokens that include the white space after them. Only the model's
/// name says so.
fn strips_right(vocabulary: &Vocabulary) -> bool {
    let name = vocabulary.name.to_ascii_lowercase();
    name.contains("phi-3") || name.contains("phi3")
}
