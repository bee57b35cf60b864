//! The catalogue as a table, for people and for programs: each model, whether its file is here, and
//! its memory.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use inference_wasm::protocol::CacheType;
use serde::Serialize;

use super::catalogue::{Catalogue, Entry, Source};

/// An entry with the values derived from it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row<'c> {
    /// The entry.
    #[serde(flatten)]
    pub entry: &'c Entry,
    /// The path that the file has, or would have.
    pub path: PathBuf,
    /// Whether the file exists; `models verify` checks it.
    pub is_here: bool,
    /// Bytes in a page with a cache of `positions`.
    pub memory: Memory,
    /// The reason why a page can't hold it; absent if one can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub too_large_for_a_page: Option<String>,
}

/// Bytes that a model needs in a page: at most 1.15 of its file, and the key-value cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Positions of the cache for the usual sizes: 2,048, or the model's context if that is smaller.
    pub usual_positions: u32,
    /// With an F32 cache of that size.
    pub usual_f32: u64,
    /// With an F16 cache of that size.
    pub usual_f16: u64,
    /// With an F32 cache of the model's whole context.
    pub whole_f32: u64,
    /// With an F16 cache of the model's whole context.
    pub whole_f16: u64,
}

/// Every entry, in the order of the catalogue.
pub fn rows<'c>(catalogue: &'c Catalogue, cache: &Path) -> Vec<Row<'c>> {
    let row = |entry: &'c Entry| {
        let path = catalogue.path_of(entry, cache);
        let usual_positions = entry.usual_positions();
        let memory = Memory {
            usual_positions,
            usual_f32: entry.memory_bytes(usual_positions, CacheType::F32),
            usual_f16: entry.memory_bytes(usual_positions, CacheType::F16),
            whole_f32: entry.memory_bytes(entry.context, CacheType::F32),
            whole_f16: entry.memory_bytes(entry.context, CacheType::F16),
        };
        let too_large_for_a_page = entry.too_large_for_a_page();
        Row { entry, is_here: path.is_file(), path, memory, too_large_for_a_page }
    };
    catalogue.entries().iter().map(row).collect()
}

/// The rows as a table. The memory is that of a page with a cache of at most 2,048 positions, in F32
/// and in F16.
pub fn list(rows: &[Row<'_>]) -> String {
    let width = rows.iter().map(|row| row.entry.name.len()).max().unwrap_or(0);
    let mut text = format!(
        "{:width$}  weights  arch     size MB  memory f32/f16  page  licence               source      \
         file\n",
        "name"
    );
    for row in rows {
        let entry = row.entry;
        let state = match (row.is_here, &entry.source) {
            (true, _) => "here".to_owned(),
            (false, Source::File(_)) => "missing from the repository".to_owned(),
            (false, _) => format!("`tierproof models fetch {}`", entry.name),
        };
        let note = if entry.untested.is_some() { " (untested)" } else { "" };
        let memory =
            format!("{}/{}", megabytes(row.memory.usual_f32), megabytes(row.memory.usual_f16));
        let page = if row.too_large_for_a_page.is_none() { "yes" } else { "no" };
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "{:width$}  {:7}  {:7}  {:>7}  {memory:>14}  {page:4}  {:20}  {:10}  {state}{note}",
            entry.name,
            entry.weights,
            entry.architecture,
            megabytes(entry.bytes),
            entry.licence,
            entry.source.kind(),
        );
    }
    text
}

/// Everything about an entry, one fact per line.
pub fn details(row: &Row<'_>) -> String {
    let (entry, memory) = (row.entry, row.memory);
    let source = match &entry.source {
        Source::File(file) => file.clone(),
        Source::Url(url) => url.clone(),
        _ => {
            let packages = entry.source.packages().iter();
            let names = packages.map(|package| format!("{} {}", package.package, package.version));
            names.collect::<Vec<_>>().join(", ")
        }
    };
    let need = |positions: u32, f32: u64, f16: u64| {
        let (f32, f16) = (megabytes(f32), megabytes(f16));
        format!("{f32} MB with a cache of {positions} positions in F32, {f16} MB in F16")
    };
    let mut lines = vec![
        ("name", entry.name.clone()),
        ("architecture", entry.architecture.clone()),
        ("weights", format!("{}, {} of them", entry.weights, entry.parameters)),
        ("file", format!("{} bytes, SHA-256 {}", entry.bytes, entry.sha256)),
        ("context", format!("{} positions", entry.context)),
        ("memory", need(memory.usual_positions, memory.usual_f32, memory.usual_f16)),
    ];
    if memory.usual_positions < entry.context {
        lines.push(("", need(entry.context, memory.whole_f32, memory.whole_f16)));
    }
    let page = row.too_large_for_a_page.as_ref();
    lines.push(("in a page", page.map_or("fits".to_owned(), |why| format!("no: {why}"))));
    lines.push(("licence", entry.licence.clone()));
    if let Some(terms) = &entry.terms {
        lines.push(("terms", format!("{} ({}): {}", terms.title, terms.url, terms.summary)));
    }
    lines.push(("source", format!("{}: {source}", entry.source.kind())));
    if let Some(why) = &entry.untested {
        lines.push(("untested", why.clone()));
    }
    let here = if row.is_here { "" } else { "not here; would be " };
    lines.push(("path", format!("{here}{}", row.path.display())));
    lines.into_iter().map(|(key, value)| format!("{key:12}  {value}\n")).collect()
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> Catalogue {
        let text = include_str!("../../../../fixtures/models/catalogue.toml");
        Catalogue::parse(text, Path::new("nowhere/catalogue.toml")).unwrap()
    }

    #[test]
    fn the_list_shows_the_memory_and_how_to_fetch() {
        insta::assert_snapshot!(list(&rows(&catalogue(), Path::new("nowhere"))));
    }

    #[test]
    fn details_include_terms_and_reasons() {
        let catalogue = catalogue();
        let rows = rows(&catalogue, Path::new("nowhere"));
        let of = |name: &str| details(rows.iter().find(|row| row.entry.name == name).unwrap());
        insta::assert_snapshot!(format!("{}\n{}", of("gemma3-270m"), of("phi3-mini-4k")));
    }

    #[test]
    fn the_catalogue_agrees_with_the_files() {
        use inference_wasm::engine::model::{Gguf, HyperParameters};
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/models");
        let catalogue = Catalogue::load(&folder.join("catalogue.toml")).unwrap();
        let mut count = 0;
        for row in rows(&catalogue, Path::new("nowhere")).iter().filter(|row| row.is_here) {
            let bytes = fs_err::read(&row.path).unwrap();
            let gguf = Gguf::open(&bytes).unwrap();
            let hyper = HyperParameters::read(&gguf).unwrap();
            let entry = row.entry;
            assert_eq!(
                (entry.layers, entry.kv_width, entry.context),
                (hyper.layers as u32, hyper.kv_width() as u32, hyper.context as u32),
                "{}",
                entry.name
            );
            count += 1;
        }
        assert!(count >= 6, "{count} files");
    }
}
