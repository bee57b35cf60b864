//! Packages from npm, pinned by version and hash. The user's own npm reports the tarball's address;
//! the download is resumable and checked, and only the files that a page needs are unpacked.
//!
//! npm knows the user's registry, proxy and certificates, so no registry's address is needed here.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flate2::read::GzDecoder;
use fs_err as fs;
use sha2::{Digest, Sha512};

use super::download::{DownloadError, download};
use super::progress::{FetchProgress, Progress};

/// A version of a package.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Package {
    /// The package's name.
    pub(crate) name: &'static str,
    /// The version.
    pub(crate) version: &'static str,
    /// Bytes of the tarball.
    pub(crate) bytes: u64,
    /// SHA-512 of the tarball, in hex: npm's `integrity`.
    pub(crate) sha512: &'static str,
    /// SPDX expression.
    pub(crate) licence: &'static str,
    /// The files to unpack: the path in the tarball, and the path below the page's folder.
    pub(crate) files: &'static [(&'static str, &'static str)],
}

/// Why a package can't be installed.
#[derive(Debug, thiserror::Error)]
pub enum NpmError {
    /// npm is not installed.
    #[error(
        "no `npm` on PATH, which is needed to find `{package}`\n  \
         (hint: install Node.js with npm, or leave this engine out with `--engine`)"
    )]
    NoNpm {
        /// The package.
        package: String,
    },
    /// npm could not be run, or failed.
    #[error("`{command}` failed: {reason}")]
    Failed {
        /// The command line.
        command: String,
        /// The last line of its output.
        reason: String,
    },
    /// The download failed.
    #[error("package `{package}`: {error}")]
    Download {
        /// The package.
        package: String,
        /// Why.
        error: DownloadError,
    },
    /// The tarball is not the pinned one.
    #[error("package `{package}`: expected SHA-512 `{expected}`, found `{found}`")]
    Hash {
        /// The package.
        package: String,
        /// The pinned hash, in hex.
        expected: String,
        /// The tarball's hash, in hex.
        found: String,
    },
    /// The tarball lacks a file.
    #[error("package `{package}`: expected `{file}` in the tarball, found none")]
    Member {
        /// The package.
        package: String,
        /// Path in the tarball.
        file: String,
    },
    /// Reading or writing failed; the message names the file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Package {
    /// Whether all of its files are in the folder, from this very tarball.
    pub(crate) fn is_in(&self, folder: &Path) -> bool {
        // Written last.
        fs::read_to_string(self.seal(folder)).is_ok_and(|hash| hash == self.sha512)
    }

    fn seal(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.sha512", self.name.replace('/', "+")))
    }

    /// Installs its files into a folder. Resumes an interrupted download.
    pub(crate) fn install(&self, folder: &Path, progress: Progress<'_>) -> Result<(), NpmError> {
        if self.is_in(folder) {
            return Ok(());
        }
        fs::create_dir_all(folder)?;
        let package = format!("{}@{}", self.name, self.version);
        // Named after the hash, so that a part of one version is never used for another.
        let short = self.sha512.get(..24).unwrap_or(self.sha512);
        let part = folder.join(format!("{short}.tgz.part"));
        if !matches!(sha512(&part), Ok(found) if found == self.sha512) {
            progress(FetchProgress::Step(format!("asking npm where {package} is")));
            let url = tarball_url(&package)?;
            progress(FetchProgress::Step(format!("fetching {package}")));
            let mut count = |bytes| progress(FetchProgress::Bytes(bytes, self.bytes));
            download(&url, &part, self.bytes, &mut count)
                .map_err(|error| NpmError::Download { package: package.clone(), error })?;
            let found = sha512(&part)?;
            if found != self.sha512 {
                fs::remove_file(&part)?;
                let expected = self.sha512.to_owned();
                return Err(NpmError::Hash { package, expected, found });
            }
        }
        progress(FetchProgress::Step(format!("unpacking {package}")));
        unpack(&part, self, folder)?;
        fs::write(self.seal(folder), self.sha512)?;
        Ok(fs::remove_file(part)?)
    }
}

fn tarball_url(package: &str) -> Result<String, NpmError> {
    let npm = which::which("npm").map_err(|_| NpmError::NoNpm { package: package.to_owned() })?;
    let arguments = ["view", package, "dist.tarball"];
    let command = format!("npm {}", arguments.join(" "));
    let failed = |reason: String| NpmError::Failed { command: command.clone(), reason };
    let output = Command::new(npm).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    let last = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
    };
    if !output.status.success() {
        return Err(failed(last(&output.stderr)));
    }
    let url = last(&output.stdout);
    if url.contains("://") {
        Ok(url)
    } else {
        Err(failed(format!("expected a URL, found `{url}`")))
    }
}

fn sha512(path: &Path) -> std::io::Result<String> {
    let (mut file, mut hasher, mut buffer) =
        (fs::File::open(path)?, Sha512::new(), vec![0; 1 << 20]);
    loop {
        let count = file.read(&mut buffer)?;
        let Some(chunk) = buffer.get(..count).filter(|chunk| !chunk.is_empty()) else { break };
        hasher.update(chunk);
    }
    Ok(hex::encode(hasher.finalize()))
}

/// Unpacks the package's files from a tarball.
fn unpack(tarball: &Path, package: &Package, folder: &Path) -> Result<(), NpmError> {
    let mut missing: Vec<_> = package.files.to_vec();
    let mut archive = tar::Archive::new(GzDecoder::new(fs::File::open(tarball)?));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let Some(at) = missing.iter().position(|(file, _)| Path::new(file) == path) else {
            continue;
        };
        let (_, to) = missing.swap_remove(at);
        let to = folder.join(to);
        fs::create_dir_all(to.parent().unwrap_or(folder))?;
        // Only the content is unpacked, never a link or a mode.
        std::io::copy(&mut entry, &mut fs::File::create(to)?)?;
    }
    match missing.first() {
        None => Ok(()),
        Some((file, _)) => {
            Err(NpmError::Member { package: package.name.to_owned(), file: (*file).to_owned() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKAGE: Package = Package {
        name: "@scope/thing",
        version: "1.0.0",
        bytes: 0,
        sha512: "00",
        licence: "MIT",
        files: &[("package/esm/a.js", "thing/a.js")],
    };

    fn tarball(folder: &Path, names: &[&str]) -> PathBuf {
        let path = folder.join("thing.tgz");
        let file = fs::File::create(&path).unwrap();
        let gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        let mut builder = tar::Builder::new(gzip);
        for name in names {
            let mut header = tar::Header::new_gnu();
            header.set_size(3);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, &b"abc"[..]).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap();
        path
    }

    #[test]
    fn only_the_listed_files_are_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        let path = tarball(folder.path(), &["package/b.js", "package/esm/a.js"]);
        unpack(&path, &PACKAGE, folder.path()).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("thing/a.js")).unwrap(), "abc");
        assert!(!folder.path().join("package").exists());
    }

    #[test]
    fn a_missing_file_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = tarball(folder.path(), &["package/b.js"]);
        let error = unpack(&path, &PACKAGE, folder.path()).unwrap_err().to_string();
        assert_eq!(
            error,
            "package `@scope/thing`: expected `package/esm/a.js` in the tarball, found none"
        );
    }

    #[test]
    fn a_package_is_installed_once_it_is_sealed() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!PACKAGE.is_in(folder.path()));
        fs::write(folder.path().join("@scope+thing.sha512"), "00").unwrap();
        assert!(PACKAGE.is_in(folder.path()));
        PACKAGE.install(folder.path(), &mut |_| {}).unwrap();
    }

    /// The SHA-512 of `abc` from FIPS 180-2.
    #[test]
    fn hashes_are_of_the_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        fs::write(&path, "abc").unwrap();
        assert!(sha512(&path).unwrap().starts_with("ddaf35a193617abacc417349ae204131"));
    }
}
