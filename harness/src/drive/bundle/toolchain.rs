//! Finds the toolchain that can compile for WebAssembly, and calls its cargo with what a bundle is
//! built with.
//!
//! Where rustup can't add the target, the set-up script unpacks a private toolchain; for threads
//! it builds a standard library with atomics. Where those are is read from what it wrote.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use inference_wasm::protocol::BundleName;

use super::error::{BundleError, TARGET};
use super::wasm_env::wasm_environment;

/// Cargo's profile for bundles.
pub(super) const PROFILE: &str = "wasm-release";

/// Enough of cargo's output to hold a compiler error.
const KEPT_LINES: usize = 40;

/// The variables that any cargo may be given as they stand in the file.
const VARIABLES: [&str; 2] = ["RUSTC", "RUSTDOC"];

/// What the linker makes a threaded module with: memory that the page creates and all instances
/// share, and what each of them sets up its thread-local storage by. The memory's maximum has to
/// be said, and is all that 32 bits address.
const SHARED_MEMORY: [&str; 7] = [
    "--shared-memory",
    "--max-memory=4294967296",
    "--import-memory",
    "--export=__wasm_init_tls",
    "--export=__tls_size",
    "--export=__tls_align",
    "--export=__tls_base",
];

/// Where cargo compiles a bundle. Not in `target/` itself: two toolchains may be at work, and each
/// would take the other's files for outdated. Nor one folder for all bundles: their modules would
/// lie at the same place.
pub(super) fn target_dir(workspace: &Path, bundle: BundleName) -> PathBuf {
    workspace.join("target/wasm").join(bundle.as_str())
}

/// `cargo SUBCOMMAND` for the engine, as WebAssembly.
///
/// # Errors
///
/// [`BundleError::NoThreads`] if nothing can compile threads, or a file that can't be read.
pub(super) fn cargo(
    workspace: &Path,
    subcommand: &str,
    bundle: BundleName,
) -> Result<Command, BundleError> {
    let setup = wasm_environment()?;
    let flags = flags(bundle, &setup)?;
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(workspace)
        .args([subcommand, "--package", "inference-wasm", "--target", TARGET, "--profile", PROFILE])
        .arg("--target-dir")
        .arg(target_dir(workspace, bundle))
        .env_remove("RUSTFLAGS")
        // In place of those in `.cargo/config.toml`.
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .envs(setup.iter().filter(|(name, _)| VARIABLES.contains(&name.as_str())));
    if bundle == BundleName::Threads {
        // The target feature, and what wasm-bindgen needs of the standard library for it, are
        // unstable.
        command.args(["--features", "threads"]).env("RUSTC_BOOTSTRAP", "1");
        if let Some(rustc) = setup.get("WASM_THREADS_RUSTC") {
            command.env("RUSTC", rustc).env_remove("RUSTDOC");
        }
    }
    Ok(command)
}

/// What rustc is called with.
fn flags(bundle: BundleName, setup: &BTreeMap<String, String>) -> Result<Vec<String>, BundleError> {
    let features = match bundle {
        // Said, and not left to rustc's default, which may change.
        BundleName::Scalar => "-simd128",
        BundleName::Base => "+simd128",
        BundleName::Relaxed => "+simd128,+relaxed-simd",
        BundleName::Threads => "+simd128,+atomics,+bulk-memory",
    };
    let mut flags = vec![format!("-Ctarget-feature={features}")];
    if bundle == BundleName::Threads {
        let sysroot = setup.get("WASM_THREADS_SYSROOT").ok_or(BundleError::NoThreads)?;
        flags.push(format!("--sysroot={sysroot}"));
        flags.extend(SHARED_MEMORY.map(|argument| format!("-Clink-arg={argument}")));
    }
    Ok(flags)
}

/// Waits for cargo to compile something, and reports the end of its output if it fails.
pub(super) fn wait(
    command: &mut Command,
    progress: &mut dyn FnMut(&str),
) -> Result<(), BundleError> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|source| BundleError::no_cargo(command, source))?;
    let mut kept = VecDeque::new();
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
    let hint = hint(&output);
    Err(BundleError::Cargo { output, hint })
}

/// What to do about cargo's output, where that is known.
pub(super) fn hint(output: &str) -> &'static str {
    let has = |text: &str| output.contains(text);
    if has("E0514") || has("incompatible version of rustc") {
        "\nhint: a standard library is of another rustc, as after an update of it; run \
         `tierproof setup --for threads` again"
    } else if has("target may not be installed")
        || has("can't find crate for `core`")
        || has("can't find crate for `std`")
    {
        "\nhint: no standard library for WebAssembly; run \
         `rustup target add wasm32-unknown-unknown`, or the set-up script where rustup can't"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_need_a_standard_library_of_their_own() {
        let nothing = BTreeMap::new();
        for bundle in BundleName::ALL {
            let is_possible = flags(bundle, &nothing).is_ok();
            assert_eq!(is_possible, bundle != BundleName::Threads, "{bundle}");
        }
        let setup = BTreeMap::from([("WASM_THREADS_SYSROOT".to_owned(), "/t".to_owned())]);
        let flags = flags(BundleName::Threads, &setup).unwrap();
        assert_eq!(flags[..2], ["-Ctarget-feature=+simd128,+atomics,+bulk-memory", "--sysroot=/t"]);
        assert!(flags.contains(&"-Clink-arg=--shared-memory".to_owned()), "{flags:?}");
    }

    /// A plain `cargo build` for the target gives the base bundle's module.
    #[test]
    fn the_workspace_builds_the_base_by_default() {
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cargo/config.toml");
        let config = fs_err::read_to_string(config).unwrap();
        let [base] = &flags(BundleName::Base, &BTreeMap::new()).unwrap()[..] else {
            panic!("one flag")
        };
        assert!(config.contains(&format!("rustflags = [\"{base}\"]")), "{config}");
    }

    #[test]
    fn known_failures_have_a_hint() {
        let no_target = "error[E0463]: can't find crate for `core`\n  = note: the \
                         `wasm32-unknown-unknown` target may not be installed";
        assert!(hint(no_target).contains("rustup target add"));
        let other = "error[E0514]: found crate `core` compiled by an incompatible version of rustc";
        assert!(hint(other).contains("--for threads"));
        assert_eq!(hint("error[E0308]: mismatched types"), "");
    }
}
