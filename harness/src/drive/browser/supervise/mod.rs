//! Processes that die with us, however we die.
//!
//! A program is not started directly but through a *supervisor*: this very executable, called as
//! `tierproof __supervise`. The supervisor holds the other end of a pipe of ours. When the pipe
//! closes (we asked, we returned, we panicked, we got SIGKILL), it ends the program with all of
//! its descendants. Browsers fork, double-fork and open sessions of their own, so a process group
//! is not enough; see [`tree`].
//!
//! What runs under a supervisor, and what its output means, is not known here.

mod supervisor;
mod tree;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, watch};

pub use supervisor::supervise;

/// First argument of the supervisor's command line.
pub const SUBCOMMAND: &str = "__supervise";

/// How long a supervisor may take to end a tree before we stop waiting for it; it goes on alone.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(12);

/// A program to be supervised.
#[derive(Debug, Clone)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables that are set on top of our own environment.
    pub env: Vec<(OsString, OsString)>,
    /// Variables of our own environment that it must not see.
    pub without_env: Vec<&'static str>,
    /// Where its output goes; appended to.
    pub log: PathBuf,
}

/// Starts supervisors.
#[derive(Debug, Clone)]
pub struct Supervisor {
    executable: PathBuf,
}

impl Supervisor {
    /// With this executable, which must answer [`SUBCOMMAND`] with [`supervise`].
    pub fn this_executable() -> std::io::Result<Self> {
        Ok(Self { executable: std::env::current_exe()? })
    }

    /// With another executable that does.
    pub fn with_executable(executable: PathBuf) -> Self {
        Self { executable }
    }

    /// Starts a program.
    ///
    /// It gets a scratch folder of its own as `TMPDIR`, which the supervisor removes at the end,
    /// so that profiles and sockets of a killed browser don't pile up.
    pub fn spawn(&self, program: &Program) -> std::io::Result<Supervised> {
        if let Some(folder) = program.log.parent() {
            fs_err::create_dir_all(folder)?;
        }
        // A short name: sockets lie in there, and their paths are limited to 108 bytes.
        let scratch = tempfile::Builder::new().prefix("tierproof-").tempdir()?;
        let mut command = Command::new(&self.executable);
        command.arg(SUBCOMMAND).arg("--log").arg(&program.log);
        command.arg("--scratch").arg(scratch.path());
        command.arg(&program.path).args(&program.args);
        command.envs(program.env.iter().map(|(name, value)| (name, value)));
        command.env("TMPDIR", scratch.path());
        for name in &program.without_env {
            command.env_remove(name);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // A Ctrl-C in the terminal is for us to handle, not for browsers to die of at random.
        command.process_group(0);
        let mut child = command.spawn()?;
        let missing = || std::io::Error::other("the supervisor has no pipe");
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let (lines_sender, lines) = mpsc::unbounded_channel();
        let (exit_sender, exit) = watch::channel(None);
        tokio::spawn(listen(BufReader::new(stdout).lines(), lines_sender, exit_sender));
        Ok(Supervised {
            stdin: Some(stdin),
            child,
            lines,
            exit,
            log: program.log.clone(),
            // From here on it is the supervisor's to remove.
            scratch: scratch.keep(),
        })
    }
}

/// Why a program has ended, ready to print: `exit status: 1`, `signal: 9 (SIGKILL)`.
pub type Exit = String;

type Lines = tokio::io::Lines<BufReader<tokio::process::ChildStdout>>;

async fn listen(
    mut lines: Lines,
    sender: mpsc::UnboundedSender<String>,
    exit: watch::Sender<Option<Exit>>,
) {
    while let Ok(Some(line)) = lines.next_line().await {
        match supervisor::Notice::parse(&line) {
            Some(supervisor::Notice::Line(text)) => _ = sender.send(text.to_owned()),
            Some(supervisor::Notice::Exited(how)) => _ = exit.send(Some(how.to_owned())),
            None => {}
        }
    }
    exit.send_if_modified(|known| {
        known.is_none() && {
            *known = Some("its supervisor is gone".to_owned());
            true
        }
    });
}

/// Why a line was not seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoLine {
    /// The time was up.
    TimedOut,
    /// The program ended before.
    Exited(Exit),
}

/// A running program. Dropping it ends the program and all of its descendants.
#[derive(Debug)]
pub struct Supervised {
    /// Closing it is the request to end.
    stdin: Option<ChildStdin>,
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
    exit: watch::Receiver<Option<Exit>>,
    log: PathBuf,
    scratch: PathBuf,
}

impl Supervised {
    /// Waits for a line of the program's output, out of its first ones, of which `parse` makes
    /// something.
    pub async fn wait_for_line<T>(
        &mut self,
        limit: Duration,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, NoLine> {
        let found = async {
            while let Some(line) = self.lines.recv().await {
                if let Some(found) = parse(&line) {
                    return Some(found);
                }
            }
            None
        };
        match tokio::time::timeout(limit, found).await {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err(NoLine::Exited(self.has_exited().unwrap_or_default())),
            Err(_) => match self.has_exited() {
                Some(how) => Err(NoLine::Exited(how)),
                None => Err(NoLine::TimedOut),
            },
        }
    }

    /// How the program ended, if it has.
    pub fn has_exited(&self) -> Option<Exit> {
        self.exit.borrow().clone()
    }

    /// Becomes `Some` when the program ends.
    pub fn exit(&self) -> watch::Receiver<Option<Exit>> {
        self.exit.clone()
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The folder that it has as `TMPDIR`, private to our user, gone when the program is.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// The supervisor's process id; its descendants are the program's.
    pub fn supervisor_id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends the program with all of its descendants, and says whether they were seen to be gone.
    pub async fn shutdown(mut self) -> bool {
        self.stdin = None;
        matches!(tokio::time::timeout(SHUTDOWN_LIMIT, self.child.wait()).await, Ok(Ok(_)))
    }
}
