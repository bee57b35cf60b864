//! Makes engines ready: fetches what is pinned into the user's cache and writes our side of a
//! peer's page. No part of a peer is in the repository; the caller asks the user before anything
//! large is fetched.

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::engine::{Engine, ModelForm, Python, Source};
use crate::fetch::models::FetchProgress;
use crate::fetch::npm::NpmError;
use crate::fetch::python::{Environment, PythonError};

/// Bytes that may be fetched for one run without asking.
pub const UNASKED_BYTES: u64 = 1_000_000;

const INDEX_HTML: &str = include_str!("page/index.html");
const PAGE_JS: &str = include_str!("page/page.js");
/// The one that our own page uses: events leave every page in the same way.
const OUTBOX_JS: &str = include_str!("../../../inference-wasm/page/outbox.js");

/// A package that has to be fetched.
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

/// Why an engine can't be made ready.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// Our bundle was not built.
    #[error("there is no bundle")]
    NoBundle,
    /// A package of npm.
    #[error(transparent)]
    Npm(#[from] NpmError),
    /// The Python environment.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// The disk; the message names the file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// An engine that is ready to be started.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// Its version.
    pub(crate) version: String,
    /// The page's folder or the interpreter, as the engine needs it.
    pub(crate) parts: Parts,
}

/// The parts of an engine.
#[derive(Debug, Clone)]
pub(crate) enum Parts {
    /// A page in this folder.
    Page(PathBuf),
    /// The native build, which is part of this command.
    Native,
    /// A script for this interpreter.
    Process {
        /// The interpreter.
        python: PathBuf,
        /// The script.
        script: PathBuf,
    },
}

/// Makes engines ready.
#[derive(Debug, Clone)]
pub struct Installer {
    /// The user's cache, `bench/` below the folder of models.
    pub cache: PathBuf,
    /// ONNX models, a folder each.
    pub onnx: PathBuf,
    /// Our own bundle, if an engine needs it.
    pub bundle: Option<PathBuf>,
}

impl Installer {
    fn environment(&self, engine: &Engine, python: &Python) -> Environment {
        Environment::of(&self.cache, engine.name, python.requirements)
    }

    fn folder(&self, engine: &Engine, version: &str) -> PathBuf {
        self.cache.join(format!("{engine}-{version}"))
    }

    /// The packages that have to be fetched for an engine.
    pub fn missing(&self, engine: &Engine) -> Vec<Missing> {
        if let Source::Python(python) = &engine.source {
            let is_ready = self.environment(engine, python).is_ready();
            let (what, licence) = (python.version.to_owned(), python.licence);
            let missing = Missing { what, bytes: python.bytes, licence, registry: "PyPI" };
            return if is_ready { Vec::new() } else { vec![missing] };
        }
        let packages = engine.npm_packages();
        let folder = self.folder(engine, packages.first().map_or("", |package| package.version));
        let absent = packages.iter().filter(|package| !package.is_in(&folder));
        absent
            .map(|package| Missing {
                what: format!("{} {}", package.name, package.version),
                bytes: package.bytes,
                licence: package.licence,
                registry: "npm",
            })
            .collect()
    }

    /// Makes an engine ready, fetching what is missing.
    pub(crate) fn prepare(
        &self,
        engine: &Engine,
        progress: &mut dyn FnMut(FetchProgress),
    ) -> Result<Prepared, PrepareError> {
        let ours = env!("CARGO_PKG_VERSION");
        let (version, parts) = match &engine.source {
            Source::Bundle => {
                (ours, Parts::Page(self.bundle.clone().ok_or(PrepareError::NoBundle)?))
            }
            Source::BuiltIn => (ours, Parts::Native),
            Source::Python(python) => {
                let mut step = |step| progress(FetchProgress::Step(step));
                let interpreter = self.environment(engine, python).interpreter(&mut step)?;
                fs::create_dir_all(&self.cache)?;
                let script = self.cache.join(python.name);
                fs::write(&script, python.script)?;
                (python.version, Parts::Process { python: interpreter, script })
            }
            Source::Npm { packages, scripts } => {
                let version = packages.first().map_or("", |package| package.version);
                let folder = self.folder(engine, version);
                for package in *packages {
                    package.install(&folder, progress)?;
                }
                let page =
                    [("index.html", INDEX_HTML), ("page.js", PAGE_JS), ("outbox.js", OUTBOX_JS)];
                for (name, text) in page.iter().chain(*scripts) {
                    fs::write(folder.join(name), text)?;
                }
                if engine.model == ModelForm::Onnx {
                    copy_folder(&self.onnx, &folder.join("onnx"))?;
                }
                (version, Parts::Page(folder))
            }
        };
        Ok(Prepared { version: version.to_owned(), parts })
    }
}

/// Copies a folder of a few megabytes with everything in it.
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

/// The folder of a model's ONNX export: the longest whose name the model's name begins with.
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
    use crate::engines::{ENGINES, find};

    #[test]
    fn peers_speak_our_protocol() {
        assert!(PAGE_JS.contains(&format!("const PROTOCOL = {PROTOCOL_VERSION};")));
        for engine in ENGINES {
            match &engine.source {
                Source::Npm { scripts, .. } => {
                    assert!(scripts.iter().any(|(name, _)| *name == "adapter.js"), "{engine}");
                }
                Source::Python(python) => {
                    let line = format!("\"protocol\": {PROTOCOL_VERSION},");
                    assert!(python.script.contains(&line), "{engine}");
                }
                Source::Bundle | Source::BuiltIn => {}
            }
        }
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
    fn an_empty_cache_misses_exactly_the_pinned_packages() {
        let cache = tempfile::tempdir().unwrap();
        let (cache, onnx) = (cache.path().to_owned(), PathBuf::new());
        let installer = Installer { cache, onnx, bundle: None };
        let missing = |name| {
            let missing = installer.missing(find(name).unwrap());
            missing.into_iter().map(|missing| missing.what).collect::<Vec<_>>()
        };
        assert_eq!(missing("tierproof"), [""; 0]);
        assert_eq!(missing("tierproof-native"), [""; 0]);
        assert_eq!(missing("llama.cpp"), ["xllamacpp 2026.10.11549"]);
        assert_eq!(missing("wllama"), ["@wllama/wllama 3.8.1", "@wllama/wllama-compat 3.8.1"]);
    }

    #[test]
    fn packages_are_pinned_by_a_hash() {
        for package in ENGINES.iter().flat_map(|engine| engine.npm_packages()) {
            assert_eq!(package.sha512.len(), 128, "{}", package.name);
            assert!(package.sha512.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
    }
}
