//! From a model's name or path to its file.

use std::path::{Path, PathBuf};

use super::catalogue::{Catalogue, Entry, Source};
use crate::spec::naming::did_you_mean;

/// A model that a cell or a command names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Name in the catalogue, or the file's stem.
    pub name: String,
    /// Where the GGUF is, or would be once it is fetched.
    pub path: PathBuf,
    /// Its entry in the catalogue; `None` for a file that was given by its path.
    pub entry: Option<Entry>,
}

/// Why a name does not resolve to a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The name is not in the catalogue and does not look like a path.
    #[error(
        "unknown model `{name}`, expected a name in the catalogue or the path of a `.gguf` file\n  \
         (hint: {hint})"
    )]
    Unknown {
        /// The name.
        name: String,
        /// The closest name, or how to list them.
        hint: String,
    },
    /// It looks like a path, but the file does not exist.
    #[error("no model file at `{0}`")]
    NoFile(PathBuf),
}

impl Catalogue {
    /// Finds a model by its name in the catalogue, or by the path of any local GGUF.
    pub fn resolve(&self, name_or_path: &str, cache: &Path) -> Result<Model, ResolveError> {
        if let Some(entry) = self.get(name_or_path) {
            let (name, path) = (entry.name.clone(), self.path_of(entry, cache));
            return Ok(Model { name, path, entry: Some(entry.clone()) });
        }
        let path = Path::new(name_or_path);
        let is_gguf = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gguf"));
        if !is_gguf && path.components().count() < 2 {
            let names: Vec<_> = self.entries().iter().map(|entry| &entry.name).collect();
            let hint = did_you_mean(name_or_path, &names)
                .unwrap_or_else(|| "`tierproof models list` prints them".to_owned());
            return Err(ResolveError::Unknown { name: name_or_path.to_owned(), hint });
        }
        if !path.is_file() {
            return Err(ResolveError::NoFile(path.to_owned()));
        }
        let stem = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Model { name: stem, path: path.to_owned(), entry: None })
    }

    /// Where an entry's file is, or would be once it is fetched.
    pub fn path_of(&self, entry: &Entry, cache: &Path) -> PathBuf {
        match &entry.source {
            Source::File(file) => self.folder().join(file),
            _ => cache.join("models").join(format!("{}.gguf", entry.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> Catalogue {
        let text = include_str!("../../../../fixtures/models/catalogue.toml");
        Catalogue::parse(text, Path::new("fixtures/models/catalogue.toml")).unwrap()
    }

    #[test]
    fn names_in_the_catalogue_come_first() {
        let resolve =
            |name: &str| catalogue().resolve(name, Path::new("cache")).map(|model| model.path);
        for (name, path) in [
            ("scribe-low-Q8_0", "fixtures/models/scribe-low-Q8_0.gguf"),
            ("smollm2-135m", "cache/models/smollm2-135m.gguf"),
        ] {
            assert_eq!(resolve(name), Ok(PathBuf::from(path)));
        }
        let missing = resolve("some/where.gguf").unwrap_err();
        assert_eq!(missing.to_string(), "no model file at `some/where.gguf`");
    }

    #[test]
    fn the_closest_name_is_suggested_for_an_unknown_one() {
        let hint = |name: &str| {
            let error = catalogue().resolve(name, Path::new("cache")).unwrap_err().to_string();
            error.lines().last().unwrap_or_default().trim().to_owned()
        };
        assert_eq!(hint("scribe-low-q8"), "(hint: did you mean `scribe-low-Q8_0`?)");
        assert_eq!(hint("xyz"), "(hint: `tierproof models list` prints them)");
    }

    #[test]
    fn any_local_file_is_a_model() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.gguf");
        fs_err::write(&path, "x").unwrap();
        let model = catalogue().resolve(&path.to_string_lossy(), Path::new("cache")).unwrap();
        assert_eq!(model, Model { name: "mine".to_owned(), path, entry: None });
    }
}
