//! The peers: where each comes from, pinned, and how it is made ready.
//!
//! What is fetched goes into the user's cache and stays there; nothing of a peer is in the
//! repository. The caller asks the user before anything large is fetched, see [`missing`].

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::engine::EngineName;
use super::host::{Parts, Prepared};
use super::lineup::Entrant;
use super::process::write_script;
use crate::fetch::models::FetchProgress;
use crate::fetch::npm_project::Package;
use crate::fetch::python::Environment;

/// Without being asked, so much may be fetched for one run.
pub const UNASKED_BYTES: u64 = 1_000_000;

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

/// For browsers without JSPI or memory64, which is WebKit's today.
const WLLAMA_COMPAT: Package = Package {
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

const TRANSFORMERS: Package = Package {
    name: "@huggingface/transformers",
    version: "4.3.1",
    bytes: 2_268_123,
    sha512: "e7ebe849e50214ae8f08a958d7974f84d38aab7ff3393c4337ba02f96cbd7456f5419d13490a26651472ed44512bc611b94a04f5f18c4134cf0b977fa5604984",
    licence: "Apache-2.0",
    files: &[("package/dist/transformers.min.js", "transformers/transformers.min.js")],
};

/// The version that Transformers.js depends on; its own build has the rest inside.
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

/// What pip installs for native llama.cpp, with hashes, which pip checks.
const LLAMA_CPP_REQUIREMENTS: &str = include_str!("llama_cpp_requirements.txt");
const LLAMA_CPP_VERSION: &str = "xllamacpp 2026.10.11549";
/// Bytes of the wheel for Linux on x86-64; others are about as large.
const LLAMA_CPP_BYTES: u64 = 33_827_498;

const INDEX_HTML: &str = include_str!("page/index.html");
const PAGE_JS: &str = include_str!("page/page.js");
const LLAMA_CPP_PY: &str = include_str!("llama_cpp.py");
/// The one that our own page uses: events leave every page in the same way.
const OUTBOX_JS: &str = include_str!("../../../inference-wasm/page/outbox.js");

/// Something that has to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Name and version.
    pub what: String,
    /// Bytes of the download.
    pub bytes: u64,
    /// SPDX expression.
    pub licence: &'static str,
    /// The registry that it comes from: npm or `PyPI`.
    pub registry: &'static str,
}

/// Where engines are made ready.
#[derive(Debug, Clone)]
pub struct Peers {
    /// The user's cache, `bench/` below the folder of models.
    pub cache: PathBuf,
    /// ONNX models, a folder each.
    pub onnx: PathBuf,
    /// Our own bundle, where an engine in a browser is ours.
    pub bundle: Option<PathBuf>,
}

fn packages(engine: EngineName) -> &'static [Package] {
    match engine {
        EngineName::Wllama => &[WLLAMA, WLLAMA_COMPAT],
        EngineName::TransformersJs => &[TRANSFORMERS, ONNX_RUNTIME],
        EngineName::Tierproof | EngineName::TierproofNative | EngineName::LlamaCpp => &[],
    }
}

impl Peers {
    fn folder(&self, engine: EngineName) -> PathBuf {
        let version = packages(engine).first().map_or("", |package| package.version);
        self.cache.join(format!("{engine}-{version}"))
    }

    /// What has to be fetched for an engine.
    pub fn missing(&self, engine: EngineName) -> Vec<Missing> {
        let folder = self.folder(engine);
        let absent = packages(engine).iter().filter(|package| !package.is_in(&folder));
        let mut missing: Vec<_> = absent
            .map(|package| Missing {
                what: format!("{} {}", package.name, package.version),
                bytes: package.bytes,
                licence: package.licence,
                registry: "npm",
            })
            .collect();
        let environment = Environment::of(&self.cache, "llama.cpp", LLAMA_CPP_REQUIREMENTS);
        if engine == EngineName::LlamaCpp && !environment.is_ready() {
            missing.push(Missing {
                what: LLAMA_CPP_VERSION.to_owned(),
                bytes: LLAMA_CPP_BYTES,
                licence: "MIT",
                registry: "PyPI",
            });
        }
        missing
    }

    /// Makes an engine ready, fetching what is missing.
    ///
    /// # Errors
    /// What can't be had, with what mends it.
    pub fn prepare(
        &self,
        entrant: Entrant,
        progress: &mut dyn FnMut(FetchProgress),
    ) -> Result<Prepared, String> {
        let engine = entrant.engine;
        let ours = env!("CARGO_PKG_VERSION");
        let (version, parts) = match engine {
            EngineName::Tierproof => {
                let bundle = self.bundle.clone().ok_or("there is no bundle")?;
                (ours.to_owned(), Parts::Page(bundle))
            }
            EngineName::TierproofNative => (ours.to_owned(), Parts::Native),
            EngineName::LlamaCpp => {
                let environment = Environment::of(&self.cache, "llama.cpp", LLAMA_CPP_REQUIREMENTS);
                let mut told = |step| progress(FetchProgress::Step(step));
                let python =
                    environment.interpreter(&mut told).map_err(|error| error.to_string())?;
                let script = write_script(&self.cache, "llama_cpp.py", LLAMA_CPP_PY)
                    .map_err(|error| error.to_string())?;
                (LLAMA_CPP_VERSION.to_owned(), Parts::Process { python, script })
            }
            EngineName::Wllama | EngineName::TransformersJs => {
                let folder = self.folder(engine);
                for package in packages(engine) {
                    package.install(&folder, progress).map_err(|error| error.to_string())?;
                }
                self.write_page(engine, &folder).map_err(|error| error.to_string())?;
                let version = packages(engine).first().map_or("", |package| package.version);
                (version.to_owned(), Parts::Page(folder))
            }
        };
        Ok(Prepared { entrant, version, parts })
    }

    /// Puts our side of a peer's page beside it, and the models that it can't take as GGUF.
    fn write_page(&self, engine: EngineName, folder: &Path) -> std::io::Result<()> {
        let write = |name: &str, text: &str| fs::write(folder.join(name), text);
        write("index.html", INDEX_HTML)?;
        write("page.js", PAGE_JS)?;
        write("outbox.js", OUTBOX_JS)?;
        if engine == EngineName::Wllama {
            return write("adapter.js", include_str!("page/wllama.js"));
        }
        write("adapter.js", include_str!("page/transformers.js"))?;
        write("transformers-worker.js", include_str!("page/transformers-worker.js"))?;
        copy_folder(&self.onnx, &folder.join("onnx"))
    }
}

/// Copies a folder with everything in it, which is a few megabytes.
fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// The folder of a model's ONNX export: the one whose name the model's begins with.
pub fn onnx_name(onnx: &Path, model: &str) -> Option<String> {
    let entries = fs::read_dir(onnx).ok()?.flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| {
            let rest = model.strip_prefix(name.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
        .max_by_key(String::len)
}

#[cfg(test)]
mod tests {
    use inference_wasm::protocol::PROTOCOL_VERSION;

    use super::*;

    #[test]
    fn peers_speak_our_protocol() {
        assert!(PAGE_JS.contains(&format!("const PROTOCOL = {PROTOCOL_VERSION};")));
        assert!(LLAMA_CPP_PY.contains(&format!("\"protocol\": {PROTOCOL_VERSION},")));
    }

    #[test]
    fn an_onnx_export_is_found_by_the_models_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["scribe", "scribe-low"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        for (model, expected) in [
            ("scribe-low-F16", Some("scribe-low")),
            ("scribe-low", Some("scribe-low")),
            ("scribe-lower", Some("scribe")),
            ("smollm2-135m", None),
        ] {
            assert_eq!(onnx_name(folder.path(), model).as_deref(), expected, "{model}");
        }
    }

    #[test]
    fn a_fresh_cache_lacks_what_is_fetched_and_nothing_else() {
        let cache = tempfile::tempdir().unwrap();
        let peers = Peers { cache: cache.path().to_owned(), onnx: PathBuf::new(), bundle: None };
        let missing = |engine| {
            let missing = peers.missing(engine);
            missing.into_iter().map(|missing| missing.what).collect::<Vec<_>>()
        };
        assert_eq!(missing(EngineName::Tierproof), [""; 0]);
        assert_eq!(missing(EngineName::TierproofNative), [""; 0]);
        assert_eq!(missing(EngineName::LlamaCpp), ["xllamacpp 2026.10.11549"]);
        assert_eq!(
            missing(EngineName::Wllama),
            ["@wllama/wllama 3.8.1", "@wllama/wllama-compat 3.8.1"]
        );
    }

    #[test]
    fn what_is_pinned_is_a_hash() {
        for package in EngineName::ALL.iter().flat_map(|engine| packages(*engine)) {
            assert_eq!(package.sha512.len(), 128, "{}", package.name);
            assert!(package.sha512.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
    }
}
