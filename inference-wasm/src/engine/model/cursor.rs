//! Reads little-endian numbers and strings from a byte slice, and reports where it ends too early.
//!
//! Knows only how GGUF stores scalars and strings.

use super::ModelError;

/// A position in a file. Every read either advances or fails with the offset.
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The offset of the next read, in bytes.
    pub(crate) fn offset(&self) -> u64 {
        self.at as u64
    }

    /// The bytes from `start`, an earlier offset of this cursor, to the current one.
    pub(crate) fn since(&self, start: u64) -> &'a [u8] {
        self.bytes.get(start as usize..self.at).unwrap_or_default()
    }

    /// Bytes left.
    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: usize, what: &str) -> Result<&'a [u8], ModelError> {
        let end = self.at.checked_add(count);
        let Some(taken) = end.and_then(|end| self.bytes.get(self.at..end)) else {
            return Err(ModelError::broken(
                what,
                self.offset(),
                format!("{count} bytes"),
                format!("{} bytes before the end of the file", self.remaining()),
            ));
        };
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], ModelError> {
        let taken = self.take(N, what)?;
        Ok(taken.try_into().expect("`take` returns as many bytes as asked for"))
    }

    pub(crate) fn u8(&mut self, what: &str) -> Result<u8, ModelError> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self, what: &str) -> Result<u16, ModelError> {
        self.array(what).map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self, what: &str) -> Result<u32, ModelError> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, what: &str) -> Result<u64, ModelError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A count of items of at least `min_bytes` each. Fails if the rest of the file can't hold
    /// them, so that no caller allocates by a made-up number.
    pub(crate) fn count(&mut self, min_bytes: usize, what: &str) -> Result<usize, ModelError> {
        let offset = self.offset();
        let count = self.u64(what)?;
        let most = self.remaining() / min_bytes;
        match usize::try_from(count) {
            Ok(count) if count <= most => Ok(count),
            _ => Err(ModelError::broken(
                what,
                offset,
                format!("at most {most}, which is what the rest of the file can hold"),
                count.to_string(),
            )),
        }
    }

    /// A string: its length in bytes as `u64`, then UTF-8 without an end mark.
    pub(crate) fn string(&mut self, what: &str) -> Result<&'a str, ModelError> {
        let length = self.count(1, what)?;
        let offset = self.offset();
        let bytes = self.take(length, what)?;
        std::str::from_utf8(bytes).map_err(|error| {
            ModelError::broken(
                what,
                offset + error.valid_up_to() as u64,
                "UTF-8",
                format!("byte {:#04x}", bytes.get(error.valid_up_to()).copied().unwrap_or(0)),
            )
        })
    }
}
