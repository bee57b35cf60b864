//! The entries of a series: engine, backend and number of threads.
//!
//! Each backend of an engine, and each number of threads, is measured as a separate entry of one
//! series, so that pairs compare them as they compare engines.

use std::fmt;
use std::str::FromStr;

use inference_wasm::protocol::BackendName;

use crate::engines::{self, Engine, UnknownEngine};
use crate::spec::cell::{UnknownName, parse_backend};

/// An engine on one backend, with one number of threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The engine.
    pub engine: &'static Engine,
    /// Its backend.
    pub backend: BackendName,
    /// Its threads, where several numbers of threads are measured.
    pub threads: Option<u32>,
}

impl fmt::Display for Entry {
    /// `tierproof@webgpu`, or `tierproof@wasm@2`; a native engine has no choice of backends, so its
    /// name has none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut name = self.engine.to_string();
        if self.engine.needs_browser() {
            name = format!("{name}@{}", self.backend);
        }
        if let Some(threads) = self.threads {
            name = format!("{name}@{threads}");
        }
        f.pad(&name)
    }
}

/// A word of `--engine`: `tierproof`, or `tierproof@webgpu`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineWord {
    /// The engine.
    pub engine: &'static Engine,
    /// Its backend; `None` for those of `--backend`.
    pub backend: Option<BackendName>,
}

impl FromStr for EngineWord {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, EntryError> {
        let Some((engine, backend)) = text.split_once('@') else {
            return Ok(Self { engine: engines::find(text)?, backend: None });
        };
        let (engine, backend) = (engines::find(engine)?, parse_backend(backend)?);
        match engine.why_not(backend) {
            None => Ok(Self { engine, backend: Some(backend) }),
            Some(reason) => Err(EntryError::Refused { engine, backend, reason }),
        }
    }
}

/// The entries that `--engine`, `--backend` and `--threads` ask for, in order, the subject first.
/// The default is our engine, and the peer that can run any GGUF if `wasm` is among the backends.
/// With several numbers of threads, each of them is an entry of an engine on the CPU.
///
/// # Errors
/// An engine has none of the backends, or an entry occurs twice.
pub fn entries(
    words: &[EngineWord],
    backends: &[BackendName],
    threads: &[u32],
) -> Result<Vec<Entry>, EntryError> {
    let default =
        [&engines::TIERPROOF, &engines::WLLAMA].map(|engine| EngineWord { engine, backend: None });
    let words = match words {
        [] if backends.contains(&BackendName::Wasm) => &default[..],
        [] => &default[..1],
        words => words,
    };
    let mut entries = Vec::new();
    for EngineWord { engine, backend } in words.iter().copied() {
        let before = entries.len();
        let asked = match backend {
            Some(backend) => vec![backend],
            None if engine.needs_browser() => backends.to_vec(),
            None => vec![BackendName::Cpu],
        };
        for backend in asked.into_iter().filter(|backend| engine.why_not(*backend).is_none()) {
            let is_on_cpu = matches!(backend, BackendName::Wasm | BackendName::Cpu);
            let numbers = match threads {
                [_, _, ..] if is_on_cpu => threads.iter().copied().map(Some).collect(),
                _ => vec![None],
            };
            for threads in numbers {
                let entry = Entry { engine, backend, threads };
                if entries.contains(&entry) {
                    return Err(EntryError::Twice(entry));
                }
                entries.push(entry);
            }
        }
        if entries.len() == before {
            let asked: Vec<_> = backends.iter().map(|backend| backend.as_str()).collect();
            return Err(EntryError::NoBackend { engine, asked: asked.join(",") });
        }
    }
    Ok(entries)
}

/// Entries that can't be measured as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// No engine has this name.
    #[error(transparent)]
    Engine(#[from] UnknownEngine),
    /// No backend has this name.
    #[error(transparent)]
    Backend(#[from] UnknownName),
    /// The engine can't be measured on this backend.
    #[error("`{engine}` can't be measured on `{backend}`: {reason}")]
    Refused {
        /// The engine.
        engine: &'static Engine,
        /// The backend.
        backend: BackendName,
        /// Why not.
        reason: &'static str,
    },
    /// An entry can't be compared with itself.
    #[error("`{0}` is listed twice")]
    Twice(Entry),
    /// The engine would be missing without notice.
    #[error(
        "`{engine}` runs on {}, and `--backend {asked}` has none of these\n  (hint: \
         `--engine {engine}@{}`)",
        engine.backends.iter().map(|backend| backend.as_str()).collect::<Vec<_>>().join(" and "),
        engine.backends.first().map_or("", |backend| backend.as_str())
    )]
    NoBackend {
        /// The engine.
        engine: &'static Engine,
        /// `--backend`, as given.
        asked: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(words: &[&str], backends: &[BackendName]) -> Result<Vec<String>, String> {
        let parsed = words.iter().map(|word| word.parse()).collect::<Result<Vec<_>, EntryError>>();
        let words = parsed.map_err(|error| error.to_string())?;
        let listed = entries(&words, backends, &[1]).map_err(|error| error.to_string())?;
        Ok(listed.iter().map(Entry::to_string).collect())
    }

    #[test]
    fn each_backend_of_an_engine_is_an_entry() {
        use BackendName::{Wasm, Webgl, Webgpu};
        for (words, backends, expected) in [
            (&[][..], &[Wasm][..], &["tierproof@wasm", "wllama@wasm"][..]),
            (&[], &[Webgl, Webgpu], &["tierproof@webgl", "tierproof@webgpu"]),
            (
                &["tierproof", "transformers-js", "llama.cpp"],
                &[Webgpu, Webgl, Wasm],
                &[
                    "tierproof@webgpu",
                    "tierproof@webgl",
                    "tierproof@wasm",
                    "transformers-js@webgpu",
                    "transformers-js@wasm",
                    "llama.cpp",
                ],
            ),
            (
                &["tierproof@webgl", "tierproof-native"],
                &[Wasm],
                &["tierproof@webgl", "tierproof-native"],
            ),
        ] {
            let expected = expected.iter().map(ToString::to_string).collect();
            assert_eq!(named(words, backends), Ok(expected));
        }
    }

    #[test]
    fn a_missing_or_repeated_entry_is_an_error() {
        use BackendName::{Wasm, Webgl, Webgpu};
        for (words, backends, expected) in [
            (
                &["tierproof", "wllama"][..],
                &[Webgpu, Webgl][..],
                "`wllama` runs on wasm, and `--backend webgpu,webgl` has none of these\n  \
                 (hint: `--engine wllama@wasm`)",
            ),
            (
                &[],
                &[BackendName::Cpu],
                "`tierproof` runs on webgpu and webgl and wasm, and `--backend cpu` has none of \
                 these\n  (hint: `--engine tierproof@webgpu`)",
            ),
            (&["tierproof", "tierproof@wasm"], &[Wasm], "`tierproof@wasm` is listed twice"),
        ] {
            assert_eq!(named(words, backends).unwrap_err(), expected);
        }
    }

    #[test]
    fn each_number_of_threads_is_an_entry_on_the_cpu() {
        use BackendName::{Wasm, Webgpu};
        let words = ["tierproof", "llama.cpp"].map(|word| word.parse().unwrap());
        let listed = entries(&words, &[Webgpu, Wasm], &[2, 1]).unwrap();
        let names: Vec<_> = listed.iter().map(Entry::to_string).collect();
        let expected = ["tierproof@webgpu", "tierproof@wasm@2", "tierproof@wasm@1"];
        assert_eq!(names[..3], expected);
        assert_eq!(names[3..], ["llama.cpp@2", "llama.cpp@1"]);
        let error = entries(&words, &[Wasm], &[2, 2]).unwrap_err();
        assert_eq!(error.to_string(), "`tierproof@wasm@2` is listed twice");
    }

    /// Without `shader-f16`, wllama asked for WebGPU computes on the CPU and does not report it.
    #[test]
    fn a_fallback_to_the_cpu_is_not_called_webgpu() {
        let error = "wllama@webgpu".parse::<EngineWord>().unwrap_err().to_string();
        assert!(error.contains("falls back to the CPU"), "{error}");
        assert!("transformers-js@webgl".parse::<EngineWord>().is_err());
        assert!("llama.cpp@webgpu".parse::<EngineWord>().is_err());
        assert!("tierproof@cpu".parse::<EngineWord>().is_err());
        assert!("tierproof@gpu".parse::<EngineWord>().is_err());
    }
}
