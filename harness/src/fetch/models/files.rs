//! Checks whether a model file exists, and whether it is the one in the catalogue.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Why a file is not the expected one.
#[derive(Debug, thiserror::Error)]
pub enum FileProblem {
    /// It does not exist.
    #[error("`{0}` does not exist")]
    Missing(PathBuf),
    /// It has another size.
    #[error("`{path}`: expected {expected} bytes, found {found}")]
    Size {
        /// The file.
        path: PathBuf,
        /// Bytes in the catalogue.
        expected: u64,
        /// Bytes on disk.
        found: u64,
    },
    /// It has other bytes.
    #[error("`{path}`: expected SHA-256 `{expected}`, found `{found}`")]
    Hash {
        /// The file.
        path: PathBuf,
        /// The catalogue's hash, in hex.
        expected: String,
        /// The file's hash, in hex.
        found: String,
    },
    /// It can't be read; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Checks a file's size, then its SHA-256. `progress` receives the number of bytes read so far.
pub fn check_file(
    path: &Path,
    bytes: u64,
    sha256: &str,
    progress: &mut dyn FnMut(u64),
) -> Result<(), FileProblem> {
    let mut file = match fs_err::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(FileProblem::Missing(path.to_owned()));
        }
        Err(error) => return Err(error.into()),
    };
    let found = file.metadata()?.len();
    if found != bytes {
        return Err(FileProblem::Size { path: path.to_owned(), expected: bytes, found });
    }
    let (mut hasher, mut buffer, mut done) = (Sha256::new(), vec![0; 1 << 20], 0);
    loop {
        let count = file.read(&mut buffer)?;
        let Some(chunk) = buffer.get(..count).filter(|chunk| !chunk.is_empty()) else { break };
        hasher.update(chunk);
        done += count as u64;
        progress(done);
    }
    let found = hex::encode(hasher.finalize());
    if found != sha256 {
        let expected = sha256.to_owned();
        return Err(FileProblem::Hash { path: path.to_owned(), expected, found });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_and_hash_are_distinguished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.gguf");
        fs_err::write(&path, "abc").unwrap();
        // The SHA-256 of `abc` from FIPS 180-2.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let mut reported = 0;
        check_file(&path, 3, abc, &mut |bytes| reported = bytes).unwrap();
        assert_eq!(reported, 3);
        let check =
            |path: &Path, bytes, hash| check_file(path, bytes, hash, &mut |_| {}).unwrap_err();
        assert!(matches!(check(&path, 4, abc), FileProblem::Size { found: 3, .. }));
        assert!(matches!(check(&path, 3, "ab"), FileProblem::Hash { .. }));
        assert!(matches!(check(&folder.path().join("x"), 3, abc), FileProblem::Missing(_)));
    }
}
