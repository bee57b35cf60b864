//! A display for browsers that need one where there is none: Xvfb, one for a run.
//!
//! Only Linux has this need. With `--headed` the user's own display is used instead.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::find::{Environment, ProcessEnvironment};
use super::supervise::{NoLine, Program, Supervised, Supervisor};
use super::trouble::{Trouble, TroubleKind};

const PHASE: &str = "start display";
const START_LIMIT: Duration = Duration::from_secs(20);

/// The executable of Xvfb.
pub(crate) fn display_server_in(environment: &dyn Environment) -> Option<PathBuf> {
    environment.on_path("Xvfb")
}

/// A running Xvfb.
#[derive(Debug)]
pub struct Display {
    process: Supervised,
    number: u32,
}

impl Display {
    /// Starts an Xvfb on a display number of its own choice.
    pub async fn start(supervisor: &Supervisor, logs: &Path) -> Result<Self, Trouble> {
        let start = |message| Trouble::new(PHASE, TroubleKind::Start { message });
        let path = display_server_in(&ProcessEnvironment::current()).ok_or_else(|| {
            start(
                "`Xvfb` was not found on PATH\n  hint: run `tierproof setup` to install it, or use \
                 `--headed` with a display of your own"
                    .to_owned(),
            )
        })?;
        let args = ["-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"];
        let log: PathBuf = logs.join("xvfb.log");
        let mut process = supervisor
            .spawn(&Program {
                path,
                args: args.iter().map(OsString::from).collect(),
                env: Vec::new(),
                without_env: Vec::new(),
                log: log.clone(),
            })
            .map_err(|error| start(format!("`Xvfb` can't be started: {error}")))?;
        // On file descriptor 1 it prints nothing but the number.
        let number = process.wait_for_line(START_LIMIT, |line| line.trim().parse().ok()).await;
        let number = number.map_err(|error| match error {
            NoLine::TimedOut => Trouble::new(PHASE, TroubleKind::TimedOut { limit: START_LIMIT }),
            NoLine::Exited(how) => {
                start(format!("`Xvfb` ended: {how}\n  hint: its output is in `{}`", log.display()))
            }
        })?;
        Ok(Self { process, number })
    }

    /// Variables by which a program finds the display, and a runtime folder that is private.
    pub(crate) fn env(&self) -> Vec<(OsString, OsString)> {
        vec![
            ("DISPLAY".into(), format!(":{}", self.number).into()),
            ("XDG_RUNTIME_DIR".into(), self.process.scratch().into()),
        ]
    }

    /// Whether it is still there.
    pub fn is_alive(&self) -> bool {
        self.process.has_exited().is_none()
    }

    /// Ends it.
    pub async fn shutdown(self) {
        self.process.shutdown().await;
    }
}
