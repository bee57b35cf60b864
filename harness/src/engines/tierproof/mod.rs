//! Our engine, in a browser.

use inference_wasm::protocol::BackendName;

use super::engine::{Engine, InMatrix, ModelForm, Source};

/// Our engine, in a browser; in a matrix with browser `native`, also natively.
pub static ENGINE: Engine = Engine {
    name: "tierproof",
    source: Source::Bundle,
    model: ModelForm::Shards,
    backends: &[BackendName::Webgpu, BackendName::Webgl, BackendName::Wasm],
    refused: &[],
    is_ours: true,
    takes_ids: true,
    reports_ids: true,
    in_matrix: InMatrix::Judged(&BackendName::ALL),
};
