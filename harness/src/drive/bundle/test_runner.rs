//! What cargo calls with a compiled WebAssembly test: wasm-bindgen's own runner, of the very
//! version that the glue is generated with, instead of a command that would have to match it.
//!
//! It starts a browser through the driver that `CHROMEDRIVER` or `GECKODRIVER` names, with the
//! capabilities of the crate's `webdriver.json`.

use std::ffi::OsString;

/// A test failed, or could not be run.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TestRunnerError(String);

/// Runs the tests of one module. `args` is what cargo passes: the module, then filters and flags
/// of the test harness, without the name of a program.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Result<(), TestRunnerError> {
    let program = OsString::from("tierproof wasm-test-runner");
    wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(
        std::iter::once(program).chain(args),
    )
    .map_err(|error| TestRunnerError(format!("{error:#}")))
}
