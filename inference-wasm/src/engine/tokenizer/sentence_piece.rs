//! SentencePiece's byte-pair encoding, driven by scores: `tokenizer.ggml.model = llama`.
//!
//! Such a file has no merges. Two neighbours may be joined if their text is a token; the pair with
//! the highest score is joined first, the leftmost among equals. What is left without a token is
//! spelled in bytes. This is `llama.cpp`'s algorithm (`llm_tokenizer_spm` in
//! `src/llama-vocab.cpp`), which takes `n log n` steps for `n` characters.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

use super::spelling::{SPACE, byte_token};
use super::vocabulary::Vocabulary;
use crate::protocol::EngineError;

/// The scores of one vocabulary.
#[derive(Debug)]
pub(super) struct SentencePiece {
    /// Id and score of each text.
    tokens: HashMap<Box<str>, (u32, f32)>,
    /// The token of each byte.
    bytes: Box<[u32; 256]>,
    /// Bytes of the longest token.
    longest: usize,
    /// Whether encoding adds a space before text.
    pub(super) add_space: bool,
}

/// A piece of the text: bytes from `start` on. After a join, the right piece is empty.
#[derive(Debug, Clone, Copy)]
struct Piece {
    start: usize,
    length: usize,
    before: Option<usize>,
    after: Option<usize>,
}

/// Two neighbours that may be joined.
#[derive(Debug, PartialEq)]
struct Candidate {
    score: f32,
    left: usize,
    right: usize,
    /// Bytes of both together; stale once either has grown or vanished.
    length: usize,
}

impl Eq for Candidate {}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then_with(|| other.left.cmp(&self.left))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl SentencePiece {
    /// Fails with `invalid-model` if a score or the token of a byte is missing.
    pub(super) fn new(vocabulary: &Vocabulary) -> Result<Self, EngineError> {
        let (scores, count) = (&vocabulary.scores, vocabulary.tokens.len());
        if scores.len() != count {
            return Err(EngineError::invalid_model(format!(
                "`tokenizer.ggml.scores` has {} entries, expected one for each of {count} tokens",
                scores.len()
            )));
        }
        if let Some(id) = scores.iter().position(|score| score.is_nan()) {
            return Err(EngineError::invalid_model(format!(
                "`tokenizer.ggml.scores` of token {id} is not a number"
            )));
        }
        // Adding zero turns −0 into 0.
        let tokens: HashMap<Box<str>, (u32, f32)> = (0..)
            .zip(vocabulary.tokens.iter().zip(scores))
            .map(|(id, (token, score))| (token.as_str().into(), (id, score + 0.0)))
            .collect();
        let mut bytes = Box::new([0; 256]);
        for byte in 0..=u8::MAX {
            let name = byte_token(byte);
            let Some((id, _)) = tokens.get(name.as_str()) else {
                return Err(EngineError::invalid_model(format!(
                    "`tokenizer.ggml.tokens` has no `{name}`"
                )));
            };
            bytes[usize::from(byte)] = *id;
        }
        let longest = tokens.keys().map(|token| token.len()).max().unwrap_or(0);
        let add_space = vocabulary.add_space_prefix.unwrap_or(true);
        Ok(Self { tokens, bytes, longest, add_space })
    }

    /// Appends the ids of a text. `begins`: nothing, or a special token, precedes it.
    pub(super) fn encode(&self, text: &str, begins: bool, ids: &mut Vec<u32>) {
        let mut text = text.replace(' ', SPACE);
        if begins && self.add_space {
            text.insert_str(0, SPACE);
        }
        for piece in self.merge(&text) {
            let piece = &text[piece.start..piece.start + piece.length];
            match self.tokens.get(piece) {
                Some((id, _)) => ids.push(*id),
                None => ids.extend(piece.bytes().map(|byte| self.bytes[usize::from(byte)])),
            }
        }
    }

    /// The pieces that remain when no more can be joined, in order.
    fn merge(&self, text: &str) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = text
            .char_indices()
            .enumerate()
            .map(|(at, (start, c))| Piece {
                start,
                length: c.len_utf8(),
                before: at.checked_sub(1),
                after: (start + c.len_utf8() < text.len()).then_some(at + 1),
            })
            .collect();
        let candidate = |pieces: &[Piece], left: Option<usize>, right: Option<usize>| {
            let (left, right) = (left?, right?);
            let length = pieces[left].length + pieces[right].length;
            let start = pieces[left].start;
            let (_, score) = (length <= self.longest)
                .then(|| self.tokens.get(&text[start..start + length]))
                .flatten()?;
            Some(Candidate { score: *score, left, right, length })
        };
        let mut queue: BinaryHeap<Candidate> = (1..pieces.len())
            .filter_map(|right| candidate(&pieces, Some(right - 1), Some(right)))
            .collect();
        while let Some(Candidate { left, right, length, .. }) = queue.pop() {
            let (one, other) = (pieces[left], pieces[right]);
            if one.length == 0 || other.length == 0 || one.length + other.length != length {
                continue;
            }
            pieces[left].length = length;
            pieces[left].after = other.after;
            pieces[right].length = 0;
            if let Some(after) = other.after {
                pieces[after].before = Some(left);
            }
            queue.extend(candidate(&pieces, one.before, Some(left)));
            queue.extend(candidate(&pieces, Some(left), other.after));
        }
        pieces.retain(|piece| piece.length > 0);
        pieces
    }
}
