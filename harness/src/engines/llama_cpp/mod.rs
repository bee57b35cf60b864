//! llama.cpp natively, from `PyPI`.

use inference_wasm::protocol::BackendName;

use super::engine::{Engine, InMatrix, ModelForm, Python, Source};

/// llama.cpp, natively.
pub(super) static ENGINE: Engine = Engine {
    name: "llama.cpp",
    source: Source::Python(Python {
        name: "llama_cpp.py",
        script: include_str!("llama_cpp.py"),
        requirements: include_str!("requirements.txt"),
        version: "xllamacpp 2026.10.11549",
        bytes: 33_827_498,
        licence: "MIT",
    }),
    model: ModelForm::WholeFile,
    backends: &[BackendName::Cpu],
    refused: &[],
    is_ours: false,
    takes_ids: true,
    reports_ids: false,
    in_matrix: InMatrix::NotYet("judging it in a matrix needs an adapter that reports token ids"),
};
