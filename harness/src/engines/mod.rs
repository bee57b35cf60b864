//! The engines under test: a folder for each, and a line in [`ENGINES`].
//!
//! An engine is plain values ([`Engine`]): where it comes from, its backends, the form of its model,
//! and whether a matrix can judge it. A matrix, a run and a bench look it up here by name. Every
//! engine answers the same protocol, peers through a thin adapter in their folder, so that one
//! conversation with one set of deadlines serves them all.

mod engine;
mod llama_cpp;
mod open;
mod prepare;
mod process;
mod tierproof;
mod tierproof_native;
mod transformers_js;
mod wllama;

pub use engine::Engine;
pub(crate) use engine::ModelForm;
pub(crate) use open::{EnginePage, Stage};
pub use prepare::{Installer, Missing, PrepareError, UNASKED_BYTES, onnx_name};
pub(crate) use prepare::{Parts, Prepared};

/// Ours, in a browser.
pub use self::tierproof::ENGINE as TIERPROOF;
/// The peer that any GGUF can be measured on.
pub use self::wllama::ENGINE as WLLAMA;

use crate::spec::matrix::EngineFacts;
use crate::spec::naming::did_you_mean;

/// Every engine.
pub static ENGINES: &[&Engine] = &[
    &tierproof::ENGINE,
    &tierproof_native::ENGINE,
    &wllama::ENGINE,
    &transformers_js::ENGINE,
    &llama_cpp::ENGINE,
];

/// A name that no engine has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown engine `{name}`, expected one of {}{}",
    names().join(", "),
    did_you_mean(name, &names()).map(|hint| format!("\n  (hint: {hint})")).unwrap_or_default()
)]
pub struct UnknownEngine {
    name: String,
}

/// The engine of this name.
pub fn find(name: &str) -> Result<&'static Engine, UnknownEngine> {
    let mut engines = ENGINES.iter().copied();
    engines
        .find(|engine| engine.name == name)
        .ok_or_else(|| UnknownEngine { name: name.to_owned() })
}

fn names() -> Vec<&'static str> {
    ENGINES.iter().map(|engine| engine.name).collect()
}

/// What a matrix has to know of every engine.
pub fn facts() -> Vec<EngineFacts> {
    ENGINES.iter().map(|engine| engine.facts()).collect()
}

#[cfg(test)]
mod tests {
    use inference_wasm::protocol::BackendName;

    use super::*;

    #[test]
    fn every_engine_is_found_by_its_name() {
        for engine in ENGINES {
            assert_eq!(find(engine.name), Ok(*engine));
        }
        let error = find("wlama").unwrap_err().to_string();
        assert!(error.starts_with("unknown engine `wlama`, expected one of tierproof,"), "{error}");
        assert!(error.contains("wllama`?"), "{error}");
    }

    #[test]
    fn a_matrix_learns_why_it_can_not_judge_an_engine() {
        let facts = facts();
        let unsupported = |name: &str, backend| {
            let facts = facts.iter().find(|facts| facts.name == name).unwrap();
            facts.unsupported(backend).unwrap_or_default()
        };
        for backend in BackendName::ALL {
            assert_eq!(unsupported("tierproof", backend), "");
        }
        let webgpu = unsupported("wllama", BackendName::Webgpu);
        assert!(webgpu.starts_with("`wllama` does not run on `webgpu`: where the"), "{webgpu}");
        let webgl = unsupported("wllama", BackendName::Webgl);
        assert_eq!(webgl, "`wllama` does not run on `webgl`: it has no such backend");
        let wasm = unsupported("wllama", BackendName::Wasm);
        let expected =
            "`wllama` can be measured by `tierproof bench`; judging it in a matrix needs";
        assert!(wasm.starts_with(expected), "{wasm}");
    }
}
