//! The alphabet of byte-level BPE: the vocabulary writes each byte as one visible character.
//!
//! The mapping is GPT-2's `bytes_to_unicode`: printable Latin-1 bytes map to themselves, the others
//! to U+0100 and up, in order.

/// The bytes of a token. A token with a character outside the alphabet is plain text, as added
/// tokens are.
pub(super) fn token_bytes(token: &str) -> Vec<u8> {
    token.chars().map(byte_of).collect::<Option<Vec<u8>>>().unwrap_or_else(|| token.into())
}

/// The character of each byte.
pub(super) fn alphabet() -> [char; 256] {
    let mut next = 0x100..;
    std::array::from_fn(|byte| {
        let byte = byte as u8;
        let code = if stands_for_itself(byte) { u32::from(byte) } else { next.next().unwrap_or(0) };
        char::from_u32(code).expect("the alphabet lies below U+0144")
    })
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
        for (byte, c) in (0..=u8::MAX).zip(alphabet()) {
            assert_eq!(token_bytes(&c.to_string()), [byte]);
        }
    }

    /// Well-known characters of GPT-2's vocabulary.
    #[test]
    fn known_characters() {
        for (byte, c) in [(0x20, 'Ġ'), (0x0a, 'Ċ'), (0x09, 'ĉ'), (0, 'Ā'), (0xad, 'Ń')] {
            assert_eq!(alphabet()[byte], c);
        }
    }

    #[test]
    fn other_text_is_itself() {
        assert_eq!(token_bytes("a b"), b"a b");
        assert_eq!(token_bytes("ń日"), "ń日".as_bytes());
        assert_eq!(token_bytes(""), b"");
    }
}
