//! The line-up: which engines stand side by side in a series, each on one backend.
//!
//! An engine is measured on several backends, or with several numbers of threads, as if it were
//! several engines, in one series: pairs then compare those as they compare engines. What a backend
//! is worth is not known here.

use std::fmt;
use std::str::FromStr;

use inference_wasm::protocol::BackendName;

use super::engine::EngineName;
use crate::spec::cell::parse_backend;

/// An engine on one backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entrant {
    /// The engine.
    pub engine: EngineName,
    /// What it computes on.
    pub backend: BackendName,
    /// Its threads, where it is there with several numbers of them.
    pub threads: Option<u32>,
}

impl fmt::Display for Entrant {
    /// `tierproof@webgpu`, or `tierproof@wasm@2`; natively there is no backend to choose, so none is
    /// named.
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
    pub engine: EngineName,
    /// The backend that it is asked for; `None`: those of `--backend`.
    pub backend: Option<BackendName>,
}

impl FromStr for EngineWord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((engine, backend)) = text.split_once('@') else {
            return Ok(Self { engine: text.parse()?, backend: None });
        };
        let engine: EngineName = engine.parse()?;
        let backend = parse_backend(backend).map_err(|error| error.to_string())?;
        match engine.why_not(backend) {
            None => Ok(Self { engine, backend: Some(backend) }),
            Some(reason) => Err(format!("`{engine}` can't be measured on `{backend}`: {reason}")),
        }
    }
}

/// What `--engine`, `--backend` and `--threads` come to, in order, the subject first. Where no engine
/// is named, ours is, and the peer that any GGUF can be measured on. With more than one number of
/// threads, an engine on the CPU is there once with each.
///
/// # Errors
/// An engine that has none of the backends, or that is there twice.
pub fn line_up(
    words: &[EngineWord],
    backends: &[BackendName],
    threads: &[u32],
) -> Result<Vec<Entrant>, LineUpError> {
    let mut entrants = Vec::new();
    let usual = [EngineName::Tierproof, EngineName::Wllama]
        .into_iter()
        .filter(|engine| *engine == EngineName::Tierproof || backends.contains(&BackendName::Wasm))
        .map(|engine| EngineWord { engine, backend: None });
    let usual: Vec<_> = usual.collect();
    for word in if words.is_empty() { &usual } else { words } {
        let engine = word.engine;
        let before = entrants.len();
        let asked = match word.backend {
            Some(backend) => vec![backend],
            None if engine.needs_browser() => backends.to_vec(),
            None => vec![BackendName::Cpu],
        };
        for backend in asked {
            if engine.why_not(backend).is_some() {
                continue;
            }
            let is_on_cpu = matches!(backend, BackendName::Wasm | BackendName::Cpu);
            let numbers = match threads {
                [_, _, ..] if is_on_cpu => threads.iter().copied().map(Some).collect(),
                _ => vec![None],
            };
            for threads in numbers {
                let entrant = Entrant { engine, backend, threads };
                if entrants.contains(&entrant) {
                    return Err(LineUpError::Twice(entrant));
                }
                entrants.push(entrant);
            }
        }
        if entrants.len() == before {
            return Err(LineUpError::NoBackend {
                engine,
                asked: backends.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
                has: engine.backends().iter().map(|backend| backend.as_str()).collect(),
            });
        }
    }
    Ok(entrants)
}

/// A line-up that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineUpError {
    /// Nothing would be compared with it.
    #[error("engine `{0}` is there twice")]
    Twice(Entrant),
    /// It would silently be missing.
    #[error(
        "`{engine}` computes on {}, and `--backend {asked}` has none of that\n  (hint: \
         `--engine {engine}@{}`)",
        has.join(" and "),
        has.first().copied().unwrap_or_default()
    )]
    NoBackend {
        /// The engine.
        engine: EngineName,
        /// `--backend`, as it was given.
        asked: String,
        /// The backends that it has.
        has: Vec<&'static str>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lined_up(words: &[&str], backends: &[BackendName]) -> Result<Vec<String>, String> {
        let words = words.iter().map(|word| word.parse()).collect::<Result<Vec<_>, _>>()?;
        let entrants = line_up(&words, backends, &[1]).map_err(|error| error.to_string())?;
        Ok(entrants.iter().map(Entrant::to_string).collect())
    }

    #[test]
    fn an_engine_stands_on_each_backend_that_it_has() {
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
            assert_eq!(lined_up(words, backends), Ok(expected));
        }
    }

    #[test]
    fn nothing_is_missing_or_doubled_in_silence() {
        use BackendName::{Wasm, Webgl, Webgpu};
        for (words, backends, expected) in [
            (
                &["tierproof", "wllama"][..],
                &[Webgpu, Webgl][..],
                "`wllama` computes on wasm, and `--backend webgpu,webgl` has none of that\n  \
                 (hint: `--engine wllama@wasm`)",
            ),
            (
                &[],
                &[BackendName::Cpu],
                "`tierproof` computes on webgpu and webgl and wasm, and `--backend cpu` has none \
                 of that\n  (hint: `--engine tierproof@webgpu`)",
            ),
            (&["tierproof", "tierproof@wasm"], &[Wasm], "engine `tierproof@wasm` is there twice"),
        ] {
            assert_eq!(lined_up(words, backends).unwrap_err(), expected);
        }
    }

    #[test]
    fn with_several_numbers_of_threads_an_engine_on_the_cpu_stands_with_each() {
        use BackendName::{Wasm, Webgpu};
        let words = ["tierproof", "llama.cpp"].map(|word| word.parse().unwrap());
        let entrants = line_up(&words, &[Webgpu, Wasm], &[2, 1]).unwrap();
        let names: Vec<_> = entrants.iter().map(Entrant::to_string).collect();
        let expected = ["tierproof@webgpu", "tierproof@wasm@2", "tierproof@wasm@1"];
        assert_eq!(names[..3], expected);
        assert_eq!(names[3..], ["llama.cpp@2", "llama.cpp@1"]);
        let error = line_up(&words, &[Wasm], &[2, 2]).unwrap_err();
        assert_eq!(error.to_string(), "engine `tierproof@wasm@2` is there twice");
    }

    /// Its WebGPU is no WebGPU where `shader-f16` is missing, and it doesn't say so.
    #[test]
    fn what_computes_elsewhere_is_not_called_webgpu() {
        let error = "wllama@webgpu".parse::<EngineWord>().unwrap_err();
        assert!(error.contains("on the CPU without a word"), "{error}");
        assert!("transformers-js@webgl".parse::<EngineWord>().is_err());
        assert!("llama.cpp@webgpu".parse::<EngineWord>().is_err());
        assert!("tierproof@cpu".parse::<EngineWord>().is_err());
        assert!("tierproof@gpu".parse::<EngineWord>().is_err());
    }
}
