//! The alphabet of byte-level BPE: each byte stands in the vocabulary as one visible character.
//!
//! The mapping is GPT-2's `bytes_to_unicode`: printable Latin-1 bytes are themselves, the others
//! follow from U+0100 on, in order.

/// The bytes that a token of the vocabulary stands for. A token with a character outside the
/// alphabet is plain text, as added tokens are.
pub(super) fn token_bytes(token: &str) -> Vec<u8> {
    token.chars().map(byte_of).collect::<Option<Vec<u8>>>().unwrap_or_else(|| token.into())
}

/// The character that a byte is written as.
#[cfg(test)]
pub(super) fn char_of(byte: u8) -> char {
    if stands_for_itself(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|b| !stands_for_itself(*b)).count();
    char::from_u32(0x100 + before as u32).expect("fewer than 256 characters follow U+0100")
}

fn byte_of(c: char) -> Option<u8> {
    match u32::from(c) {
        code @ 0..=0xff => u8::try_from(code).ok().filter(|b| stands_for_itself(*b)),
        code @ 0x100..=0x143 => {
            let place = (code - 0x100) as usize;
            (0..=u8::MAX).filter(|b| !stands_for_itself(*b)).nth(place)
        }
        _ => None,
    }
}

fn stands_for_itself(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        for byte in 0..=u8::MAX {
            assert_eq!(token_bytes(&char_of(byte).to_string()), [byte]);
        }
    }

    /// The characters that are known by sight from GPT-2's vocabulary.
    #[test]
    fn known_characters() {
        for (byte, c) in [(b' ', 'Ġ'), (b'\n', 'Ċ'), (b'\t', 'ĉ'), (0, 'Ā'), (0xad, 'Ń')] {
            assert_eq!(char_of(byte), c);
        }
    }

    #[test]
    fn other_text_is_itself() {
        assert_eq!(token_bytes("a b"), b"a b");
        assert_eq!(token_bytes("ń日"), "ń日".as_bytes());
        assert_eq!(token_bytes(""), b"");
    }
}
