//! Reads `bench.json`, of format 1 too.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::record::{BenchRecord, FORMAT};
use crate::engines;

/// A `bench.json` that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It can't be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It is not a record of ours.
    #[error("`{path}`: expected a record of `tierproof bench` in format {FORMAT}: {message}")]
    Content {
        /// The file.
        path: String,
        /// What is wrong.
        message: String,
    },
}

impl BenchRecord {
    /// Reads a record.
    pub fn load(path: &Path) -> Result<Self, RecordError> {
        Self::parse(&fs_err::read_to_string(path)?, &path.display().to_string())
    }

    fn parse(text: &str, path: &str) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let wrong = |message: String| RecordError::Content { path: path.to_owned(), message };
        let unreadable = |error: serde_json::Error| wrong(error.to_string());
        let head: Head = serde_json::from_str(text).map_err(unreadable)?;
        let mut record: Value = serde_json::from_str(text).map_err(unreadable)?;
        match head.format {
            FORMAT => {}
            1 => upgrade(&mut record),
            other => return Err(wrong(format!("found format {other}"))),
        }
        serde_json::from_value(record).map_err(unreadable)
    }
}

/// Turns format 1 into format 2: the one backend of the settings becomes each engine's own. A value
/// that is not such a record stays as it is, and is then refused for what it lacks.
fn upgrade(record: &mut Value) {
    let backend = record["settings"]["backend"].as_str().unwrap_or_default().to_owned();
    let full_name = |name: &str| match engines::find(name) {
        Ok(engine) if engine.needs_browser() => format!("{engine}@{backend}"),
        Ok(_) | Err(_) => name.to_owned(),
    };
    if let Some(format) = record.get_mut("format") {
        *format = FORMAT.into();
    }
    for series in objects(record, "series") {
        for engine in objects(series, "engines") {
            let Some(engine) = engine.as_object_mut() else { continue };
            let Some(name) = engine.get("name").and_then(Value::as_str).map(full_name) else {
                continue;
            };
            let backend = if name.contains('@') { &backend } else { "cpu" };
            engine.insert("backend".to_owned(), backend.into());
            engine.insert("name".to_owned(), name.into());
        }
        for comparison in objects(series, "comparisons") {
            for side in ["subject", "peer"] {
                if let Some(name) = comparison.get_mut(side)
                    && let Some(full) = name.as_str().map(full_name)
                {
                    *name = full.into();
                }
            }
        }
    }
}

/// The elements of an array in an object; none without such an array.
fn objects<'v>(object: &'v mut Value, key: &str) -> impl Iterator<Item = &'v mut Value> {
    object.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_another_format_is_refused_by_its_number() {
        let error = BenchRecord::parse(r#"{"format":3,"anything":[]}"#, "b.json").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`b.json`: expected a record of `tierproof bench` in format 2: found format 3"
        );
        for text in ["[]", "{}", r#"{"format":1}"#, r#"{"format":1,"series":[3]}"#, "[1]"] {
            assert!(BenchRecord::parse(text, "b.json").is_err(), "{text}");
        }
    }

    /// Releases are compared with earlier ones, whose records never change.
    #[test]
    fn a_record_of_the_first_format_names_backends_like_one_of_today() {
        let text = include_str!("../../../bench/0.1.0.json");
        assert!(text.contains("\"format\": 1"));
        let record = BenchRecord::parse(text, "0.1.0.json").unwrap();
        assert_eq!(record.format, FORMAT);
        let engines = &record.series[0].engines;
        let names: Vec<_> =
            engines.iter().map(|engine| (&engine.name[..], &engine.backend[..])).collect();
        assert_eq!(
            names,
            [("tierproof@wasm", "wasm"), ("wllama@wasm", "wasm"), ("llama.cpp", "cpu")]
        );
        let comparison = &record.series[0].comparisons[0];
        assert_eq!(
            (&comparison.subject[..], &comparison.peer[..]),
            ("tierproof@wasm", "wllama@wasm")
        );
    }
}
