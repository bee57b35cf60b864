//! Finds the toolchain that can compile for WebAssembly, and calls its cargo.
//!
//! Where rustup can't add the target, the set-up script unpacks a private toolchain and writes
//! its paths into `env.sh`. That file is made for shells; two of its lines are read here, and
//! no shell is run.

use std::path::Path;
use std::process::Command;

use fs_err as fs;

use super::{BundleError, PROFILE, TARGET};
use crate::setup::wasm_toolchain_folder;

/// Where cargo compiles for WebAssembly, in the workspace. Not in `target/` itself: two toolchains
/// may be at work, and each would take the other's files for outdated.
pub(super) const TARGET_DIR: &str = "target/wasm";

/// The variables that the file may set for cargo.
const VARIABLES: [&str; 2] = ["RUSTC", "RUSTDOC"];

/// `cargo SUBCOMMAND` for the engine, as WebAssembly.
pub(super) fn cargo(workspace: &Path, subcommand: &str) -> Result<Command, BundleError> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(workspace)
        .args([subcommand, "--package", "inference-wasm", "--target", TARGET, "--profile", PROFILE])
        .arg("--target-dir")
        .arg(workspace.join(TARGET_DIR))
        // They would replace those of `.cargo/config.toml`, and SIMD would be gone silently.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .envs(environment()?);
    Ok(command)
}

/// What to set for cargo; nothing where the ordinary toolchain can do it.
fn environment() -> Result<Vec<(String, String)>, BundleError> {
    match fs::read_to_string(wasm_toolchain_folder().join("env.sh")) {
        Ok(text) => Ok(parse(&text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// What to do about cargo's output, where that is known.
pub(super) fn hint(output: &str) -> &'static str {
    let has_no_std = output.contains("target may not be installed")
        || output.contains("can't find crate for `core`")
        || output.contains("can't find crate for `std`");
    if has_no_std {
        "\nhint: no standard library for WebAssembly; run \
         `rustup target add wasm32-unknown-unknown`, or the set-up script where rustup can't"
    } else {
        ""
    }
}

/// The lines `export RUSTC='…'` and `export RUSTDOC='…'`.
fn parse(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("export ")?.split_once('='))
        .filter(|(name, _)| VARIABLES.contains(name))
        .map(|(name, value)| {
            let quoted = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\''));
            (name.to_owned(), quoted.unwrap_or(value).to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lines_are_read() {
        let cases: [(&str, &[(&str, &str)]); 4] = [
            ("export WASM_TOOLCHAIN_KIND=rustup\nunset RUSTC RUSTDOC\n", &[]),
            (
                "export WASM_TOOLCHAIN_KIND=debian\nexport RUSTC='/a b/rustc'\n\
                 export RUSTDOC='/a b/rustdoc'\nexport WASM_THREADS_SYSROOT='/t'\n",
                &[("RUSTC", "/a b/rustc"), ("RUSTDOC", "/a b/rustdoc")],
            ),
            ("export RUSTC=/plain\n", &[("RUSTC", "/plain")]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            let found = parse(text);
            let found: Vec<(&str, &str)> =
                found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_missing_target_has_a_hint() {
        let output = "error[E0463]: can't find crate for `core`\n  = note: the \
                      `wasm32-unknown-unknown` target may not be installed";
        assert!(hint(output).contains("rustup target add"));
        assert_eq!(hint("error[E0308]: mismatched types"), "");
    }
}
