//! The bytes that each id shows.

use super::vocabulary::{TokenType, Vocabulary};
use super::{SPACE, byte_level};

/// The bytes of all ids, one after the other: a vocabulary has a quarter of a million.
#[derive(Debug)]
pub(super) struct Shown {
    bytes: Vec<u8>,
    /// Where each id's end.
    ends: Vec<usize>,
}

impl Shown {
    pub(super) fn new(vocabulary: &Vocabulary) -> Self {
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(vocabulary.tokens.len()));
        for (id, token) in vocabulary.tokens.iter().enumerate() {
            match (vocabulary.token_type(id), one_byte(token)) {
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

    /// Number of ids.
    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of an id; none for control tokens and ids that do not exist.
    pub(super) fn get(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let start = id.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let range = self.ends.get(id).map(|end| start.unwrap_or(0)..*end);
        range.and_then(|range| self.bytes.get(range)).unwrap_or(&[])
    }
}

/// The byte of a token that is written `<0x0A>`.
fn one_byte(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_shows_its_own() {
        let tokens = ["<s>", "<0x0A>", "▁the", "▁<x>", "<0xZZ>", "é"];
        let mut vocabulary = Vocabulary {
            model: "llama".into(),
            tokens: tokens.map(str::to_owned).to_vec(),
            types: vec![3, 6, 1, 4, 6, 1],
            ..Vocabulary::default()
        };
        let shown = Shown::new(&vocabulary);
        let texts: Vec<&[u8]> = (0..7).map(|id| shown.get(id)).collect();
        let expected = ["", "\n", " the", "▁<x>", "<0xZZ>", "é", ""].map(str::as_bytes);
        assert_eq!(texts, expected);
        assert_eq!(shown.count(), 6);
        vocabulary.model = "gpt2".into();
        assert_eq!(Shown::new(&vocabulary).get(5), [0xe9]);
    }
}
