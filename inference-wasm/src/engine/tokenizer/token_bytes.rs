//! The bytes of each id.

use super::byte_level;
use super::spelling::{SPACE, byte_of_token};
use super::token_types::TokenType;
use super::vocabulary::Vocabulary;

/// The bytes of all ids in one buffer: a vocabulary may have a quarter of a million.
#[derive(Debug)]
pub(super) struct TokenBytes {
    bytes: Vec<u8>,
    /// The end of each id's bytes.
    ends: Vec<usize>,
}

impl TokenBytes {
    pub(super) fn new(vocabulary: &Vocabulary) -> Self {
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(vocabulary.tokens.len()));
        for (id, token) in vocabulary.tokens.iter().enumerate() {
            match (vocabulary.token_type(id), byte_of_token(token)) {
                (TokenType::Control, _) => {}
                (TokenType::Byte, Some(byte)) => bytes.push(byte),
                (TokenType::UserDefined, _) => bytes.extend_from_slice(token.as_bytes()),
                (TokenType::Normal | TokenType::Byte, _) if vocabulary.model == "gpt2" => {
                    bytes.extend(byte_level::token_bytes(token));
                }
                (TokenType::Normal | TokenType::Byte, _) => {
                    bytes.extend_from_slice(token.replace(SPACE, " ").as_bytes());
                }
            }
            ends.push(bytes.len());
        }
        bytes.shrink_to_fit();
        Self { bytes, ends }
    }

    /// The number of ids.
    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of an id; none for control tokens and unknown ids.
    pub(super) fn get(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let start = id.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let range = self.ends.get(id).map(|end| start.unwrap_or(0)..*end);
        range.and_then(|range| self.bytes.get(range)).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_its_bytes() {
        let tokens = ["<s>", "<0x0A>", "▁the", "▁<x>", "<0xZZ>", "é"];
        let mut vocabulary = Vocabulary {
            model: "llama".into(),
            tokens: tokens.map(str::to_owned).to_vec(),
            types: vec![3, 6, 1, 4, 6, 1],
            ..Vocabulary::default()
        };
        let bytes = TokenBytes::new(&vocabulary);
        let texts: Vec<&[u8]> = (0..7).map(|id| bytes.get(id)).collect();
        let expected = ["", "\n", " the", "▁<x>", "<0xZZ>", "é", ""].map(str::as_bytes);
        assert_eq!(texts, expected);
        assert_eq!(bytes.count(), 6);
        vocabulary.model = "gpt2".into();
        assert_eq!(TokenBytes::new(&vocabulary).get(5), [0xe9]);
    }
}
