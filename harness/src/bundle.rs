//! Builds the bundle that a page loads: the engine as WebAssembly, its glue, and the page's files.
//!
//! Owns the way from sources to a folder that a server can serve as it is. The toolchain for
//! WebAssembly is set up elsewhere; here it is only found, see [`toolchain`]. Serving is not done
//! here either.
//!
//! A bundle that is up to date costs cargo's no-op and two hashes. A new one is built beside the
//! old and takes its place only when it is whole.

pub mod browser_tests;
pub mod test_runner;
mod toolchain;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err as fs;
use inference_wasm::protocol::PROTOCOL_VERSION;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;

use crate::cell::BrowserName;
use crate::golden::hex;

const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "wasm-release";
/// The crate's library, as cargo names its files.
const STEM: &str = "inference_wasm";
const MANIFEST: &str = "bundle.json";
/// Enough of cargo's output to hold a compiler error.
const KEPT_LINES: usize = 40;

/// What to build.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BundleOptions {
    /// With the known defects that tests ask for; never in a bundle that ships.
    pub seeded_faults: bool,
}

impl BundleOptions {
    /// The bundle's name, which is also its folder's: `base` or `base+seeded-faults`.
    pub fn name(self) -> &'static str {
        if self.seeded_faults { "base+seeded-faults" } else { "base" }
    }

    fn features(self) -> Vec<String> {
        if self.seeded_faults { vec!["seeded-faults".into()] } else { Vec::new() }
    }
}

/// A bundle that is built and whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The folder with `index.html`, the glue, the module and `bundle.json`.
    pub dir: PathBuf,
    /// What it says about itself.
    pub manifest: Manifest,
}

/// `bundle.json`: what a bundle says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The bundle's name.
    pub name: String,
    /// The version of the messages that it speaks.
    pub protocol: u32,
    /// The engine's version.
    pub engine: String,
    /// Cargo features that it was built with.
    pub features: Vec<String>,
    /// SHA-256 of the module that the page loads, in hex.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256 of everything that went in, in hex: a bundle with the same is up to date.
    pub inputs_sha256: String,
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Cargo could not be started.
    #[error("`{program}` can't be started: {source}")]
    NoCargo {
        /// What was called.
        program: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The engine does not compile, or nothing here can compile it.
    #[error("building the engine for `{TARGET}` failed:\n{output}{hint}")]
    Cargo {
        /// The end of cargo's output.
        output: String,
        /// A line on what to do, or nothing.
        hint: &'static str,
    },
    /// Tests can't run in this browser.
    #[error("tests of wasm-bindgen can't run in `{0}`")]
    NoRunner(BrowserName),
    /// The glue could not be generated.
    #[error("generating the glue for `{path}` failed: {reason}")]
    Bindgen {
        /// The module.
        path: PathBuf,
        /// What the generator says.
        reason: String,
    },
}

impl BundleError {
    fn no_cargo(command: &Command, source: std::io::Error) -> Self {
        Self::NoCargo { program: command.get_program().to_string_lossy().into_owned(), source }
    }
}

/// Builds the bundle, or finds it up to date. `workspace` is the folder of the root `Cargo.toml`;
/// `progress` gets a line now and then.
///
/// # Errors
///
/// See [`BundleError`]. A bundle that was there before stays as it was.
pub fn build(
    workspace: &Path,
    options: BundleOptions,
    mut progress: impl FnMut(&str),
) -> Result<Bundle, BundleError> {
    let bundles = workspace.join("target/tierproof/bundle");
    fs::create_dir_all(&bundles)?;
    // Two builds at once would swap folders under each other. Released when the file is closed.
    let lock = fs::File::create(bundles.join(".lock"))?;
    lock.file().lock()?;

    let module = compile(workspace, options, &mut progress)?;
    let page = page_files(&workspace.join("inference-wasm/page"))?;
    let inputs_sha256 = hash_inputs(&fs::read(&module)?, &page, options);
    let dir = bundles.join(options.name());
    if let Some(manifest) = up_to_date(&dir, &inputs_sha256, &page) {
        return Ok(Bundle { dir, manifest });
    }

    progress("generating the glue");
    let fresh = tempfile::tempdir_in(&bundles)?;
    generate(&module, fresh.path())?;
    for (name, bytes) in &page {
        fs::write(fresh.path().join(name), bytes)?;
    }
    let wasm = fs::read(fresh.path().join(format!("{STEM}_bg.wasm")))?;
    let manifest = Manifest {
        name: options.name().into(),
        protocol: PROTOCOL_VERSION,
        engine: env!("CARGO_PKG_VERSION").into(),
        features: options.features(),
        sha256: hex(&Sha256::digest(&wasm)),
        bytes: wasm.len() as u64,
        inputs_sha256,
    };
    let json = serde_json::to_vec_pretty(&manifest).map_err(std::io::Error::from)?;
    fs::write(fresh.path().join(MANIFEST), json)?;
    replace(&dir, fresh, &bundles)?;
    Ok(Bundle { dir, manifest })
}

/// Runs cargo and returns the path of the module.
fn compile(
    workspace: &Path,
    options: BundleOptions,
    progress: &mut dyn FnMut(&str),
) -> Result<PathBuf, BundleError> {
    let mut command = toolchain::cargo(workspace, "build")?;
    wait(command.args(["--lib", "--features", &options.features().join(",")]), progress)?;
    let target_dir = workspace.join(toolchain::TARGET_DIR);
    Ok(target_dir.join(TARGET).join(PROFILE).join(format!("{STEM}.wasm")))
}

/// Waits for cargo to compile something, and keeps what it says for when it fails.
fn wait(command: &mut Command, progress: &mut dyn FnMut(&str)) -> Result<(), BundleError> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|source| BundleError::no_cargo(command, source))?;
    let mut kept = std::collections::VecDeque::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            if line.trim_start().starts_with("Compiling") {
                progress(line.trim());
            }
            if kept.len() == KEPT_LINES {
                kept.pop_front();
            }
            kept.push_back(line);
        }
    }
    if child.wait()?.success() {
        return Ok(());
    }
    let output = Vec::from(kept).join("\n");
    let hint = toolchain::hint(&output);
    Err(BundleError::Cargo { output, hint })
}

/// Names and contents of the page's own files, sorted by name.
fn page_files(dir: &Path) -> Result<Vec<(String, Vec<u8>)>, BundleError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let name = entry.file_name().to_string_lossy().into_owned();
            files.push((name, fs::read(entry.path())?));
        }
    }
    files.sort();
    Ok(files)
}

/// Everything that the bundle depends on, this crate's version for the glue generator included.
fn hash_inputs(module: &[u8], page: &[(String, Vec<u8>)], options: BundleOptions) -> String {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(env!("CARGO_PKG_VERSION").as_bytes());
    part(options.name().as_bytes());
    part(module);
    for (name, bytes) in page {
        part(name.as_bytes());
        part(bytes);
    }
    hex(&hash.finalize())
}

/// The manifest of a bundle that was made of these inputs, and whose files are all there.
fn up_to_date(dir: &Path, inputs: &str, page: &[(String, Vec<u8>)]) -> Option<Manifest> {
    let manifest: Manifest = serde_json::from_slice(&fs::read(dir.join(MANIFEST)).ok()?).ok()?;
    let wasm = fs::read(dir.join(format!("{STEM}_bg.wasm"))).ok()?;
    let is_whole = dir.join(format!("{STEM}.js")).is_file()
        && page.iter().all(|(name, _)| dir.join(name).is_file())
        && hex(&Sha256::digest(&wasm)) == manifest.sha256;
    (is_whole && manifest.inputs_sha256 == inputs).then_some(manifest)
}

/// Writes `inference_wasm.js` and `inference_wasm_bg.wasm`.
fn generate(module: &Path, out: &Path) -> Result<(), BundleError> {
    let failed = |error: &dyn std::fmt::Display| BundleError::Bindgen {
        path: module.to_owned(),
        reason: format!("{error:#}"),
    };
    let mut bindgen = Bindgen::new();
    bindgen
        .web(true)
        .map_err(|error| failed(&error))?
        .input_path(module)
        .out_name(STEM)
        .typescript(false)
        // The glue finds the module beside itself, as the command's would.
        .omit_default_module_path(false)
        // A third of the file. `strip` in the profile would take `target_features` as well,
        // which the generator needs.
        .remove_name_section(true)
        .generate(out)
        .map_err(|error| failed(&error))
}

/// Puts the fresh folder in the place of the old one, which is moved away first: a folder can't
/// be renamed over one that is not empty.
fn replace(dir: &Path, fresh: tempfile::TempDir, bundles: &Path) -> Result<(), BundleError> {
    let away = tempfile::tempdir_in(bundles)?;
    if dir.exists() {
        fs::rename(dir, away.path().join("old"))?;
    }
    fs::rename(fresh.path(), dir)?;
    // It is not there any more under its old name.
    let _ = fresh.keep();
    Ok(())
}

#[cfg(test)]
mod tests;
