//! How a vocabulary that is not byte-level writes spaces and single bytes.

/// A space: U+2581.
pub(super) const SPACE: &str = "▁";

/// The token of a byte for which there is no other token: `<0x0A>`.
pub(super) fn byte_token(byte: u8) -> String {
    format!("<0x{byte:02X}>")
}

/// The byte that a token like `<0x0A>` stands for.
pub(super) fn byte_of_token(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}
