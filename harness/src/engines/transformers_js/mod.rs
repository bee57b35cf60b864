//! ONNX Runtime Web under Transformers.js, from npm.

use inference_wasm::protocol::BackendName;

use super::engine::{Engine, InMatrix, ModelForm, Source};
use crate::fetch::npm::Package;

const TRANSFORMERS: Package = Package {
    name: "@huggingface/transformers",
    version: "4.3.1",
    bytes: 2_268_123,
    sha512: "e7ebe849e50214ae8f08a958d7974f84d38aab7ff3393c4337ba02f96cbd7456f5419d13490a26651472ed44512bc611b94a04f5f18c4134cf0b977fa5604984",
    licence: "Apache-2.0",
    files: &[("package/dist/transformers.min.js", "transformers/transformers.min.js")],
};

/// The version that Transformers.js depends on; its own build contains everything else.
const ONNX_RUNTIME: Package = Package {
    name: "onnxruntime-web",
    version: "1.31.0-dev.20260914-8d85527a0",
    bytes: 33_185_781,
    sha512: "232eebb5a768060c52fcb2ef0ebdd05b7f030753cd5d19ebd0624c70bd1302dedcf6a8e055097cdd4946095c9e0272b6227a665bc51cdcf2fc5c8baab43785ea",
    licence: "MIT",
    files: &[
        (
            "package/dist/ort-wasm-simd-threaded.asyncify.mjs",
            "onnxruntime/ort-wasm-simd-threaded.asyncify.mjs",
        ),
        (
            "package/dist/ort-wasm-simd-threaded.asyncify.wasm",
            "onnxruntime/ort-wasm-simd-threaded.asyncify.wasm",
        ),
    ],
};

/// ONNX Runtime Web under Transformers.js.
pub(super) static ENGINE: Engine = Engine {
    name: "transformers-js",
    source: Source::Npm {
        packages: &[TRANSFORMERS, ONNX_RUNTIME],
        scripts: &[
            ("adapter.js", include_str!("transformers.js")),
            ("transformers-worker.js", include_str!("transformers-worker.js")),
        ],
    },
    model: ModelForm::Onnx,
    backends: &[BackendName::Webgpu, BackendName::Wasm],
    refused: &[],
    is_ours: false,
    takes_ids: true,
    reports_ids: true,
    in_matrix: InMatrix::NotYet(
        "judging it in a matrix needs goldens of its ONNX models, and a tier proof from outside \
         the engine",
    ),
};
