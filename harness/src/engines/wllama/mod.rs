//! llama.cpp as WebAssembly, from npm.

use inference_wasm::protocol::BackendName;

use super::engine::{Engine, InMatrix, ModelForm, Source};
use crate::fetch::npm::Package;

const WLLAMA: Package = Package {
    name: "@wllama/wllama",
    version: "3.8.1",
    bytes: 5_829_483,
    sha512: "3e5ec110984f53c3879d5ff2867dc31596212cb39d48787ee13343efd5827ed1e795401d40f02cc9cfc27c8398fb8995c6f7f9556dd7c3751fec105fa2d4b583",
    licence: "MIT",
    files: &[
        ("package/esm/index.min.js", "wllama/index.min.js"),
        ("package/esm/wasm/wllama.wasm", "wllama/wllama.wasm"),
    ],
};

/// For browsers without JSPI or memory64; WebKit is one today.
const COMPAT: Package = Package {
    name: "@wllama/wllama-compat",
    version: "3.8.1",
    bytes: 4_080_712,
    sha512: "22f9a3ac9f89cc36eddf0d4542ad720269c51222c609c7a8c0ad90f34cd6fa4f4284590f04cd41c97ffdc66db1571c9df0c1c2e74569b83a3a48313cde4f6421",
    licence: "MIT",
    files: &[
        ("package/wasm/wllama.js", "compat/wllama.js"),
        ("package/wasm/wllama.wasm", "compat/wllama.wasm"),
    ],
};

/// llama.cpp as WebAssembly.
pub static ENGINE: Engine = Engine {
    name: "wllama",
    source: Source::Npm {
        packages: &[WLLAMA, COMPAT],
        scripts: &[("adapter.js", include_str!("wllama.js"))],
    },
    model: ModelForm::WholeFile,
    backends: &[BackendName::Wasm],
    // Its WebGPU needs `shader-f16`; without it, it loads and answers all the same and does not
    // report where it computed (3.8.1).
    refused: &[(
        BackendName::Webgpu,
        "where the adapter lacks `shader-f16` it falls back to the CPU without reporting it, and \
         that must not be reported as WebGPU",
    )],
    is_ours: false,
    takes_ids: false,
    reports_ids: false,
    in_matrix: InMatrix::NotYet(
        "judging it in a matrix needs an adapter that reports token ids, and a tier proof from \
         outside the engine",
    ),
};
