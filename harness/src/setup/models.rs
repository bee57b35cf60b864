//! The catalogue's models as `doctor` shows them: whether each file exists and has its size.
//!
//! No hash is computed: that takes seconds, and `tierproof models verify` does it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::fetch::models::{Catalogue, Entry, Source};

/// One model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ModelRow {
    pub(crate) name: String,
    /// Where it is, or belongs.
    pub(crate) path: PathBuf,
    /// The size in bytes, according to the catalogue.
    pub(crate) bytes: u64,
    /// Only a matrix that names it needs it; every run needs those in the repository.
    pub(crate) is_optional: bool,
    #[serde(flatten)]
    pub(crate) state: ModelState,
    /// The command that fetches it; absent where it is found.
    pub(crate) fix: Option<String>,
}

/// The state of a model's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub(crate) enum ModelState {
    Found,
    Missing,
    /// A file of another size.
    Damaged {
        found_bytes: u64,
    },
}

/// Looks up every model.
pub(crate) fn rows(catalogue: &Catalogue, cache: &Path) -> Vec<ModelRow> {
    let row = |entry: &Entry| {
        let path = catalogue.path_of(entry, cache);
        let found = fs_err::metadata(&path).ok().filter(std::fs::Metadata::is_file);
        let state = match found.map(|metadata| metadata.len()) {
            None => ModelState::Missing,
            Some(bytes) if bytes == entry.bytes => ModelState::Found,
            Some(found_bytes) => ModelState::Damaged { found_bytes },
        };
        let fix = match &entry.source {
            Source::File(_) => format!("git checkout -- {}", path.display()),
            _ => format!("tierproof models fetch {}", entry.name),
        };
        ModelRow {
            name: entry.name.clone(),
            path,
            bytes: entry.bytes,
            is_optional: !matches!(entry.source, Source::File(_)),
            state,
            fix: (state != ModelState::Found).then_some(fix),
        }
    };
    catalogue.entries().iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_damaged_and_found_are_distinguished() {
        let text = include_str!("../../../fixtures/models/catalogue.toml");
        let folder = tempfile::tempdir().unwrap();
        let catalogue = Catalogue::parse(text, &folder.path().join("catalogue.toml")).unwrap();
        let write = |name: &str, bytes: u64| {
            let file = fs_err::File::create(folder.path().join(name)).unwrap();
            file.set_len(bytes).unwrap();
        };
        write("scribe-low-F16.gguf", 2_755_424);
        write("scribe-low-Q8_0.gguf", 130);
        let rows = rows(&catalogue, Path::new("/nowhere"));
        let row = |name: &str| rows.iter().find(|row| row.name == name).unwrap();
        assert_eq!(
            (row("scribe-low-F16").state, &row("scribe-low-F16").fix),
            (ModelState::Found, &None)
        );
        let damaged = row("scribe-low-Q8_0");
        assert_eq!(damaged.state, ModelState::Damaged { found_bytes: 130 });
        let path = folder.path().join("scribe-low-Q8_0.gguf");
        assert_eq!(damaged.fix, Some(format!("git checkout -- {}", path.display())));
        assert!(!damaged.is_optional);
        let fetched = row("smollm2-135m");
        assert_eq!((fetched.state, fetched.is_optional), (ModelState::Missing, true));
        assert_eq!(fetched.fix.as_deref(), Some("tierproof models fetch smollm2-135m"));
    }
}
