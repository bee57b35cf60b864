//! Runs the command as a user does, in the workspace, and returns its output.
//!
//! Tests name the executable themselves: `env!("CARGO_BIN_EXE_command")` is known to them only.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Longer than any command takes, even one that builds a bundle from scratch: it ends hangs.
const LIMIT: Duration = Duration::from_mins(10);

/// The workspace's root.
///
/// # Panics
/// Never: this package lies in the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace")
}

/// The command with its arguments, in the workspace's root, without what a user's shell may have
/// set for it.
pub fn tierproof(executable: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(executable);
    // Usage lines repeat the name that the command was called by.
    command.arg0("tierproof").args(arguments).current_dir(root()).env("NO_COLOR", "1");
    let api_key = "TIERPROOF_API_KEY";
    for name in
        ["TIERPROOF_ROOT", "TIERPROOF_BUNDLE_DIR", "TIERPROOF_LOG", "RUST_BACKTRACE", api_key]
    {
        command.env_remove(name);
    }
    command
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Ended {
    /// Runs a command to its end with this on standard input.
    ///
    /// # Panics
    /// If it can't be started or does not end.
    pub fn of(command: Command, input: &str) -> Self {
        let output = assert_cmd::Command::from_std(command)
            .write_stdin(input)
            .timeout(LIMIT)
            .output()
            .expect("the command runs");
        let text = |bytes| String::from_utf8(bytes).expect("what it writes is UTF-8");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Checks the exit code.
    ///
    /// # Panics
    /// If it is another one, with the output.
    #[track_caller]
    #[must_use]
    pub fn with(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "the exit code; standard output:\n{}\nstandard error:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Standard error as one line, without the frames and line breaks of a report.
    pub fn complaint(&self) -> String {
        let words = self.stderr.split_whitespace().filter(|word| !["│", "×", "·"].contains(word));
        words.collect::<Vec<_>>().join(" ")
    }

    /// Standard output as JSON objects, one a line.
    ///
    /// # Panics
    /// If a line is not JSON.
    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        let lines = self.stdout.lines();
        lines.map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
    }
}
