//! Tokens that are found in a text before it is cut: control tokens and added text.
//!
//! Which tokens these are is decided by their types and, for files whose types are wrong, by their
//! texts; both as `llama.cpp` does it, whose ids a GGUF is made for.

use aho_corasick::{AhoCorasick, MatchKind};

use super::token_types::TokenType;
use super::vocabulary::{Vocabulary, invalid};
use crate::protocol::EngineError;

/// Part of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fragment<'t> {
    /// Still to be cut.
    Text(&'t str),
    /// One token, written out in the text.
    Token(u32),
}

/// Finds tokens in a text: the longest first, wherever they stand, and of one length the first.
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

/// What happens to white space behind a token.
#[derive(Debug, Clone, Copy, PartialEq)]
enum After {
    Stays,
    /// It belongs to the token.
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
                .map_err(|error| invalid(format!("the special tokens can't be used: {error}")))?;
            let tokens = tokens.iter().map(|(_, id, after)| (*id, *after)).collect();
            Ok(Level { finder, tokens })
        };
        Ok(Self { levels: levels.map(level).collect::<Result<_, EngineError>>()? })
    }

    /// Takes a text apart; no fragment is empty.
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
            // White space that went with the token before.
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

/// Phi-3 was trained with special tokens that swallow the white space behind them. Nothing in the
/// file says so but its name.
fn strips_right(vocabulary: &Vocabulary) -> bool {
    let name = vocabulary.name.to_ascii_lowercase();
    name.contains("phi-3") || name.contains("phi3")
}
