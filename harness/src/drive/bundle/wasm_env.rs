//! `env.sh`, in which `setup-wasm.sh` says what it found and made.
//!
//! The file is made for shells; its assignments are read here, and no shell is run.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use crate::fetch::models::cache_folder;

/// Where `setup-wasm.sh` keeps a toolchain of its own and the `env.sh` that selects it:
/// `$WASM_TOOLCHAIN_DIR`, else `wasm-toolchain` in [`cache_folder`]; the script itself says the
/// same.
///
/// `env.sh` is there once a toolchain was set up; whoever compiles for the target reads it.
pub(crate) fn wasm_toolchain_folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("WASM_TOOLCHAIN_DIR").filter(|value| !value.is_empty()) {
        return folder.into();
    }
    cache_folder().map_or_else(
        |_| PathBuf::from("target/wasm-toolchain"),
        |folder| folder.join("wasm-toolchain"),
    )
}

/// What the script exports; nothing where it never ran.
///
/// `RUSTC` and `RUSTDOC` are those of a toolchain of its own. `WASM_THREADS_RUSTC` and
/// `WASM_THREADS_SYSROOT` compile for threads.
pub(crate) fn wasm_environment() -> io::Result<BTreeMap<String, String>> {
    match fs_err::read_to_string(wasm_toolchain_folder().join("env.sh")) {
        Ok(text) => Ok(parse(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

/// The lines `export NAME='…'`.
pub(crate) fn parse(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("export ")?.split_once('='))
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
    fn lines_that_export_are_read() {
        let cases: [(&str, &[(&str, &str)]); 4] = [
            ("unset RUSTC RUSTDOC\n", &[]),
            (
                "export RUSTC='/a b/rustc'\nexport WASM_THREADS_SYSROOT='/t'\n",
                &[("RUSTC", "/a b/rustc"), ("WASM_THREADS_SYSROOT", "/t")],
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
}
