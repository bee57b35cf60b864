//! The bearer key that callers show.
//!
//! Of the key itself only a hash is kept. Hashes have one length and are compared in constant
//! time, so that response times reveal neither the key's length nor how much of it is right.

use std::fmt;

use http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A key with fewer characters can be guessed.
const SHORTEST: usize = 16;

/// What callers must show.
#[derive(Clone)]
pub struct Key {
    sha256: [u8; 32],
}

/// A key that can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// It is guessed too easily.
    #[error("the key has {0} characters, expected {SHORTEST} or more")]
    TooShort(usize),
    /// A header could not hold it.
    #[error("the key has other characters than letters, digits and `-._~+/=`")]
    Characters,
}

impl Key {
    /// Reads a key from the text of a file, with or without a trailing line break.
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        let key = text.trim();
        // The token of RFC 6750.
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if !key.bytes().all(is_allowed) {
            return Err(BadKey::Characters);
        }
        if key.len() < SHORTEST {
            return Err(BadKey::TooShort(key.len()));
        }
        Ok(Self { sha256: Sha256::digest(key).into() })
    }

    pub(super) fn admits(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some((scheme, token)) = shown.and_then(|value| value.split_once(' ')) else {
            return false;
        };
        let sha256: [u8; 32] = Sha256::digest(token.trim()).into();
        scheme.eq_ignore_ascii_case("bearer") && bool::from(sha256.ct_eq(&self.sha256))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_key_is_let_in() {
        let key = Key::parse("correct-horse-battery\n").unwrap();
        for (shown, is_let_in) in [
            ("Bearer correct-horse-battery", true),
            ("bearer correct-horse-battery", true),
            ("Bearer correct-horse-batter", false),
            ("Bearer correct-horse-battery2", false),
            ("Bearer Correct-horse-battery", false),
            ("Basic correct-horse-battery", false),
            ("correct-horse-battery", false),
            ("Bearer", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, shown.parse().unwrap())]);
            assert_eq!(key.admits(&headers), is_let_in, "{shown}");
        }
        assert!(!key.admits(&HeaderMap::new()));
        assert_eq!(format!("{key:?}"), "Key");
    }

    #[test]
    fn a_key_that_could_be_guessed_or_not_be_sent_is_refused() {
        assert_eq!(Key::parse("short\n").unwrap_err(), BadKey::TooShort(5));
        assert_eq!(Key::parse("").unwrap_err(), BadKey::TooShort(0));
        assert_eq!(Key::parse("two words of a key").unwrap_err(), BadKey::Characters);
        assert_eq!(Key::parse("one-line-of-it\nanother-line").unwrap_err(), BadKey::Characters);
    }
}
