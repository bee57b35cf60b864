//! Runs the steps of a plan, each under its time limit, and checks afterwards what it installed.
//!
//! A step that fails does not stop the others: one missing browser must not cost the rest.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use super::check::find;
use super::machine::{Machine, Privilege};
use super::plan::{Plan, Step, StepKind, package_lists};

/// Why nothing was set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Something has to be installed, and there is no terminal to ask on.
    #[error(
        "{missing} must be installed, and there is no terminal to ask on\n  \
         hint: pass `--yes`, or set CI=true"
    )]
    NotAsked {
        /// The parts that are missing.
        missing: String,
    },
    /// The user declined.
    #[error("nothing was installed; still missing: {missing}\n  hint: `tierproof doctor` lists it")]
    Declined {
        /// The parts that are missing.
        missing: String,
    },
    /// Ctrl-C, or another signal that ends the process.
    #[error("interrupted while running `{0}`")]
    Interrupted(String),
    /// The terminal was closed.
    #[error("the answer could not be read")]
    Prompt(#[from] dialoguer::Error),
    /// Standard output or error was closed.
    #[error("the output could not be written")]
    Output(#[from] std::io::Error),
}

impl SetupError {
    /// Whether the user stopped it, at a step or at the question.
    pub fn is_interrupted(&self) -> bool {
        match self {
            Self::Interrupted(_) => true,
            Self::Prompt(dialoguer::Error::IO(error)) => {
                error.kind() == std::io::ErrorKind::Interrupted
            }
            Self::NotAsked { .. } | Self::Declined { .. } | Self::Output(_) => false,
        }
    }
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error("`{program}` could not be started: {error}")]
    Start { program: String, error: std::io::Error },
    #[error("it ended with {0}")]
    Failed(std::process::ExitStatus),
    #[error("it took longer than {} s", .0.as_secs())]
    TooLong(Duration),
    #[error("it succeeded, but `{0}` is still not found")]
    StillMissing(&'static str),
    #[error("interrupted")]
    Interrupted,
}

/// Runs every step and prints how each ended. Returns a line for each failure.
pub(crate) async fn perform(
    machine: &dyn Machine,
    plan: &Plan,
    out: &mut dyn Write,
    stopped: &impl AsyncFn(),
) -> Result<Vec<String>, SetupError> {
    let mut failures = Vec::new();
    for step in &plan.steps {
        writeln!(out, "\n> {}", step.line())?;
        let started = Instant::now();
        let mut result = run(machine, step, stopped).await;
        // Outdated lists name files that are gone: fetch new ones, once.
        if matches!(result, Err(StepError::Failed(_))) && step.kind == StepKind::Packages {
            let lists = package_lists(machine.platform());
            writeln!(out, "> that failed; trying again after `{}`", lists.line())?;
            if run(machine, &lists, stopped).await.is_ok() {
                result = run(machine, step, stopped).await;
            }
        }
        let seconds = started.elapsed().as_secs();
        match result {
            Ok(()) => writeln!(out, "> done in {seconds} s")?,
            Err(StepError::Interrupted) => return Err(SetupError::Interrupted(step.line())),
            Err(error) => {
                writeln!(out, "> failed after {seconds} s: {error}")?;
                failures.push(format!("`{}`: {error}", step.line()));
            }
        }
    }
    Ok(failures)
}

async fn run(
    machine: &dyn Machine,
    step: &Step,
    stopped: &impl AsyncFn(),
) -> Result<(), StepError> {
    let needs_root = step.kind != StepKind::User && machine.platform().privilege == Privilege::Sudo;
    let mut child = start(step, needs_root)?;
    let ended = tokio::select! {
        ended = tokio::time::timeout(step.limit, child.wait()) => ended,
        () = stopped() => {
            stop(&mut child).await;
            return Err(StepError::Interrupted);
        }
    };
    let Ok(status) = ended else {
        stop(&mut child).await;
        return Err(StepError::TooLong(step.limit));
    };
    let program = step.command.first().cloned().unwrap_or_default();
    let status = status.map_err(|error| StepError::Start { program, error })?;
    if !status.success() {
        return Err(StepError::Failed(status));
    }
    match step.installs.iter().find(|part| find(machine, part).is_none()) {
        Some(part) => Err(StepError::StillMissing(part.name)),
        None => Ok(()),
    }
}

fn start(step: &Step, asks_password: bool) -> Result<Child, StepError> {
    let (program, arguments) = step.command.split_first().unwrap_or((&NOTHING, &[]));
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true);
    // Standard output is for data, and a set-up has none.
    command.stdout(std::io::stderr());
    if !asks_password {
        // A process group of its own, so that its children can be stopped with it. Not with sudo:
        // a background group may not read the password from the terminal.
        command.stdin(Stdio::null());
        #[cfg(unix)]
        command.process_group(0);
    }
    command.spawn().map_err(|error| StepError::Start { program: program.clone(), error })
}

static NOTHING: String = String::new();

/// Ends a step and its children: by SIGTERM, then by SIGKILL.
async fn stop(child: &mut Child) {
    #[cfg(unix)]
    if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) {
        use nix::sys::signal::{Signal, kill, killpg};
        let id = nix::unistd::Pid::from_raw(id);
        // Without a group of its own (sudo) only the child gets it, and passes it on.
        let _ = killpg(id, Signal::SIGTERM).or_else(|_| kill(id, Signal::SIGTERM));
        if tokio::time::timeout(Duration::from_secs(5), child.wait()).await.is_ok() {
            return;
        }
        let _ = killpg(id, Signal::SIGKILL);
    }
    let _ = child.kill().await;
}
