//! Builds a folder of bundles that a server can serve as it is; the page chooses among them.
//!
//! A folder that is up to date costs cargo's no-op and two hashes a bundle. A new one is built
//! beside the old and replaces it only when it is complete.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use fs_err as fs;
use inference_wasm::protocol::{BundleName, PROTOCOL_VERSION};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;

use super::error::{BundleError, TARGET};
use super::toolchain::{self, PROFILE};

/// The crate's library, as cargo names its files.
const STEM: &str = "inference_wasm";
const MANIFEST: &str = "bundle.json";

/// What to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleOptions {
    /// The bundles that the folder holds; at least one.
    pub bundles: Vec<BundleName>,
    /// With the known defects that tests ask for; never in a bundle that ships.
    pub seeded_faults: bool,
}

impl BundleOptions {
    /// The folder's name, which says what is in it: `base+relaxed`, `scalar+seeded-faults`.
    pub fn name(&self) -> String {
        let faults = self.seeded_faults.then_some("seeded-faults");
        let names = self.bundles.iter().map(|bundle| bundle.as_str()).chain(faults);
        names.collect::<Vec<_>>().join("+")
    }
}

/// A folder that is built and whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleFolder {
    /// Where it is: `index.html`, the page's scripts, `bundle.json`, and a folder a bundle.
    pub dir: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
}

/// `bundle.json`: what is in a folder. The page reads the names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the messages that the bundles speak.
    pub protocol: u32,
    /// The engine's version.
    pub engine: String,
    /// They carry the known defects that tests ask for.
    pub seeded_faults: bool,
    /// The bundles, each in a folder of its name.
    pub bundles: Vec<BundleEntry>,
    /// SHA-256 of all inputs, in hex: a folder with the same hash is up to date.
    pub inputs_sha256: String,
}

/// A bundle in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleEntry {
    /// Its name.
    pub name: BundleName,
    /// SHA-256 of the module, in hex.
    pub sha256: String,
    /// The module's size in bytes.
    pub bytes: u64,
    /// The same, compressed as a server would.
    pub gzip_bytes: u64,
}

/// Builds a folder of bundles, or finds it up to date. `workspace` is the folder of the root
/// `Cargo.toml`; `progress` gets a line now and then.
///
/// # Errors
///
/// See [`BundleError`]. A folder that was there before stays as it was.
pub fn build(
    workspace: &Path,
    options: &BundleOptions,
    mut progress: impl FnMut(&str),
) -> Result<BundleFolder, BundleError> {
    let folders = workspace.join("target/tierproof/bundle");
    fs::create_dir_all(&folders)?;
    // Two builds at once would swap folders under each other. Released when the file is closed.
    let lock = fs::File::create(folders.join(".lock"))?;
    lock.file().lock()?;

    let mut modules = Vec::new();
    for bundle in &options.bundles {
        modules.push((*bundle, compile(workspace, *bundle, options, &mut progress)?));
    }
    let page = page_files(&workspace.join("inference-wasm/page"))?;
    let contents = modules.iter().map(|(_, module)| fs::read(module));
    let inputs_sha256 = hash_inputs(&contents.collect::<Result<Vec<_>, _>>()?, &page, options);
    let dir = folders.join(options.name());
    if let Some(manifest) = up_to_date(&dir, &inputs_sha256, &page) {
        return Ok(BundleFolder { dir, manifest });
    }

    let fresh = tempfile::tempdir_in(&folders)?;
    let mut bundles = Vec::new();
    for (name, module) in &modules {
        progress(&format!("generating the glue of `{name}`"));
        bundles.push(generate(*name, module, fresh.path())?);
    }
    for (name, bytes) in &page {
        let file = fresh.path().join(name);
        fs::create_dir_all(file.parent().unwrap_or(fresh.path()))?;
        fs::write(file, bytes)?;
    }
    let manifest = Manifest {
        protocol: PROTOCOL_VERSION,
        engine: env!("CARGO_PKG_VERSION").into(),
        seeded_faults: options.seeded_faults,
        bundles,
        inputs_sha256,
    };
    let json = serde_json::to_vec_pretty(&manifest).map_err(std::io::Error::from)?;
    fs::write(fresh.path().join(MANIFEST), json)?;
    replace(&dir, fresh, &folders)?;
    Ok(BundleFolder { dir, manifest })
}

/// Runs cargo and returns the path of the module.
fn compile(
    workspace: &Path,
    bundle: BundleName,
    options: &BundleOptions,
    progress: &mut dyn FnMut(&str),
) -> Result<PathBuf, BundleError> {
    let mut command = toolchain::cargo(workspace, "build", bundle)?;
    command.arg("--lib");
    if options.seeded_faults {
        command.args(["--features", "seeded-faults"]);
    }
    toolchain::wait(&mut command, &mut |line| progress(&format!("{bundle}: {line}")))?;
    let target_dir = toolchain::target_dir(workspace, bundle);
    Ok(target_dir.join(TARGET).join(PROFILE).join(format!("{STEM}.wasm")))
}

/// Names and contents of the page's own files, sorted by name: `client/page.js` in a folder.
fn page_files(dir: &Path) -> Result<Vec<(String, Vec<u8>)>, BundleError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            let inner = page_files(&entry.path())?;
            files.extend(inner.into_iter().map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
        } else {
            files.push((name, fs::read(entry.path())?));
        }
    }
    files.sort();
    Ok(files)
}

/// Everything that a folder depends on, this crate's version for the glue generator included.
fn hash_inputs(modules: &[Vec<u8>], page: &[(String, Vec<u8>)], options: &BundleOptions) -> String {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(env!("CARGO_PKG_VERSION").as_bytes());
    part(options.name().as_bytes());
    for module in modules {
        part(module);
    }
    for (name, bytes) in page {
        part(name.as_bytes());
        part(bytes);
    }
    hex::encode(hash.finalize())
}

/// The manifest of a folder that was made of these inputs, and whose files are all there.
fn up_to_date(dir: &Path, inputs: &str, page: &[(String, Vec<u8>)]) -> Option<Manifest> {
    let manifest: Manifest = serde_json::from_slice(&fs::read(dir.join(MANIFEST)).ok()?).ok()?;
    let is_whole = |bundle: &BundleEntry| {
        let dir = dir.join(bundle.name.as_str());
        dir.join(format!("{STEM}.js")).is_file()
            && fs::read(dir.join(format!("{STEM}_bg.wasm")))
                .is_ok_and(|wasm| hex::encode(Sha256::digest(wasm)) == bundle.sha256)
    };
    let is_whole = page.iter().all(|(name, _)| dir.join(name).is_file())
        && manifest.bundles.iter().all(is_whole);
    (is_whole && manifest.inputs_sha256 == inputs).then_some(manifest)
}

/// Writes `NAME/inference_wasm.js` and `NAME/inference_wasm_bg.wasm`.
fn generate(name: BundleName, module: &Path, folder: &Path) -> Result<BundleEntry, BundleError> {
    let failed = |error: &dyn std::fmt::Display| BundleError::Bindgen {
        path: module.to_owned(),
        reason: format!("{error:#}"),
    };
    let out = folder.join(name.as_str());
    let mut bindgen = Bindgen::new();
    bindgen
        .web(true)
        .map_err(|error| failed(&error))?
        .input_path(module)
        .out_name(STEM)
        .typescript(false)
        // The glue finds the module beside itself, as the command's would.
        .omit_default_module_path(false)
        // An engine on a page's main thread begins anew without the memory of the one before it.
        // Threads share theirs, and never run there.
        .reset_state_function(name != BundleName::Threads)
        // A third of the file. `strip` in the profile would take `target_features` as well,
        // which the generator needs.
        .remove_name_section(true)
        .generate(&out)
        .map_err(|error| failed(&error))?;
    let wasm = fs::read(out.join(format!("{STEM}_bg.wasm")))?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&wasm)?;
    Ok(BundleEntry {
        name,
        sha256: hex::encode(Sha256::digest(&wasm)),
        bytes: wasm.len() as u64,
        gzip_bytes: gzip.finish()?.len() as u64,
    })
}

/// Puts the fresh folder in the place of the old one, which is moved away first: a folder can't
/// be renamed over one that is not empty.
fn replace(dir: &Path, fresh: tempfile::TempDir, bundles: &Path) -> Result<(), BundleError> {
    let away = tempfile::tempdir_in(bundles)?;
    if dir.exists() {
        fs::rename(dir, away.path().join("old"))?;
    }
    fs::rename(fresh.path(), dir)?;
    // The old name no longer exists.
    let _ = fresh.keep();
    Ok(())
}

#[cfg(test)]
mod tests;
