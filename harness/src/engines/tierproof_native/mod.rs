//! Our kernels, compiled natively.

use inference_wasm::protocol::BackendName;

use super::engine::{Engine, InMatrix, ModelForm, Source};

/// Our kernels, compiled natively.
pub(super) static ENGINE: Engine = Engine {
    name: "tierproof-native",
    source: Source::BuiltIn,
    model: ModelForm::Shards,
    backends: &[BackendName::Cpu],
    refused: &[],
    is_ours: true,
    takes_ids: true,
    reports_ids: true,
    in_matrix: InMatrix::NotYet("a matrix judges it as engine `tierproof` in browser `native`"),
};
