//! The models that tierproof knows by name, and where their files are.
//!
//! Owns the catalogue, the cache of fetched files, checking and fetching. What is inside of a
//! model file is the engine's business.

mod catalogue;
mod fetch;
mod files;
mod gguf_writer;
mod llama2c;
mod need;
mod table;

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

pub use catalogue::{Catalogue, CatalogueError, Conversion, Entry, Package, Source, Terms};
pub use fetch::{FetchError, FetchOptions, FetchProgress, RegistryError, fetch};
pub use files::{FileProblem, check_file};
pub use llama2c::ConvertError;
pub use need::{LINEAR_BYTES, PIECE_BYTES, USUAL_POSITIONS, cache_bytes, weight_bytes};
pub use table::{details, list, rows};

/// A model that a cell or a command names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Name in the catalogue, or the file's stem.
    pub name: String,
    /// Where the GGUF is, or would be once it is fetched.
    pub path: PathBuf,
    /// What the catalogue says of it; `None` for a file that was given by its path.
    pub entry: Option<Entry>,
}

/// Why a name stands for no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No such name, and it does not look like a path.
    #[error(
        "unknown model `{name}`, expected a name of the catalogue or the path of a `.gguf` file\n  \
         (hint: {hint})"
    )]
    Unknown {
        /// The name.
        name: String,
        /// The nearest name, or where to find them.
        hint: String,
    },
    /// It looks like a path, but no file is there.
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
            let hint = self.nearest(name_or_path).map_or_else(
                || "`tierproof models list` prints them".to_owned(),
                |nearest| format!("did you mean `{nearest}`?"),
            );
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

    fn nearest(&self, name: &str) -> Option<&str> {
        let score =
            |entry: &&Entry| strsim::jaro_winkler(&entry.name.to_lowercase(), &name.to_lowercase());
        let best = self.entries().iter().max_by(|a, b| score(a).total_cmp(&score(b)))?;
        (score(&best) > 0.7).then_some(best.name.as_str())
    }
}

/// The folder for everything that is fetched or built once: `TIERPROOF_CACHE`, or `tierproof/` in
/// the user's cache folder. Models are in `models/` below it.
pub fn cache_folder() -> std::io::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("TIERPROOF_CACHE").filter(|folder| !folder.is_empty()) {
        return Ok(folder.into());
    }
    let strategy = etcetera::choose_base_strategy().map_err(|error| {
        let message =
            format!("the user's cache folder is unknown: {error}\n  (hint: set `TIERPROOF_CACHE`)");
        std::io::Error::new(std::io::ErrorKind::NotFound, message)
    })?;
    Ok(strategy.cache_dir().join("tierproof"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> Catalogue {
        let text = include_str!("../../../../fixtures/models/catalogue.toml");
        Catalogue::parse(text, Path::new("fixtures/models/catalogue.toml")).unwrap()
    }

    #[test]
    fn names_of_the_catalogue_come_first() {
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
    fn an_unknown_name_is_told_the_nearest() {
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
