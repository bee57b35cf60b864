//! The supervisor's own side: starts the program, passes its output on, and ends its tree when
//! the pipe from the parent closes.
//!
//! It shares nothing with the rest of tierproof and takes no decision beyond that one.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, PipeReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::tree::Tree;

/// Lines that are passed on to the parent, and bytes of each. Together they fit into a pipe, so
/// that a parent that doesn't read can't stop the program.
const FORWARDED_LINES: usize = 120;
const FORWARDED_BYTES: usize = 400;

/// A line from the supervisor to its parent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Notice<'a> {
    /// The program printed this.
    Line(&'a str),
    /// The program ended like this.
    Exited(&'a str),
}

impl<'a> Notice<'a> {
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        match line.split_once(' ')? {
            ("line", text) => Some(Self::Line(text)),
            ("exited", how) => Some(Self::Exited(how)),
            _ => None,
        }
    }

    /// A parent that is gone can't read; that is noticed elsewhere.
    fn send(&self) {
        let (word, text) = match self {
            Self::Line(text) => ("line", text),
            Self::Exited(how) => ("exited", how),
        };
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{word} {text}").and_then(|()| out.flush());
    }
}

/// The command line after `__supervise`.
#[derive(Debug, PartialEq, Eq)]
struct Order {
    log: PathBuf,
    scratch: PathBuf,
    program: PathBuf,
    args: Vec<OsString>,
}

impl Order {
    /// `--log PATH --scratch PATH PROGRAM ARGS…`, nothing else: only we call it.
    fn parse(args: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let args: Vec<_> = args.into_iter().collect();
        match args.as_slice() {
            [log_option, log, scratch_option, scratch, program, args @ ..]
                if log_option == "--log" && scratch_option == "--scratch" =>
            {
                Some(Self {
                    log: log.into(),
                    scratch: scratch.into(),
                    program: program.into(),
                    args: args.to_vec(),
                })
            }
            _ => None,
        }
    }
}

/// Runs a supervisor with the command line after [`SUBCOMMAND`](super::SUBCOMMAND). Returns when
/// the program and all of its descendants are gone.
pub fn supervise(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let Some(order) = Order::parse(args) else {
        return ExitCode::from(2);
    };
    let code = match run(&order) {
        Ok(code) => code,
        Err(error) => {
            Notice::Exited(&format!("can't be started: {error}")).send();
            ExitCode::from(4)
        }
    };
    // Gone already when nothing was ever put into it; any other failure has no reader left.
    let _ = fs_err::remove_dir_all(&order.scratch);
    code
}

fn run(order: &Order) -> std::io::Result<ExitCode> {
    let log = fs_err::OpenOptions::new().create(true).append(true).open(&order.log)?;
    // Orphans of a dying process become our children instead of init's.
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_child_subreaper(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Before the program starts, so that no signal is missed.
        let mut deaths = signal(SignalKind::child())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut tree = Tree::of(std::process::id())?;
        // One pipe for both, so that the log keeps the order in which things were said.
        let (reader, writer) = std::io::pipe()?;
        let program = Command::new(&order.program)
            .args(&order.args)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .spawn()?;
        let pump = std::thread::spawn(move || pump(BufReader::new(reader), log.into_file()));
        let pid = Pid::from_raw(program.id() as i32);
        let (asked, mut asking) = mpsc::channel(1);
        std::thread::spawn(move || {
            // Nothing is ever written: a read returns when the pipe closes.
            let _ = std::io::stdin().read(&mut [0]);
            let _ = asked.blocking_send(());
        });
        let mut observe = tokio::time::interval(Duration::from_secs(1));
        let mut code = ExitCode::SUCCESS;
        loop {
            tokio::select! {
                _ = asking.recv() => break,
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => break,
                _ = deaths.recv() => {
                    if let Some(status) = reap(pid).status {
                        drain(&pump);
                        Notice::Exited(&status.to_string()).send();
                        code = ExitCode::from(status.code().map_or(1, |code| code as u8));
                        break;
                    }
                }
                // Without a subreaper, an orphan can only be known by having been seen before.
                _ = observe.tick(), if !cfg!(target_os = "linux") => {
                    tree.living();
                }
            }
        }
        if !tree.end(|| reap(pid).is_childless).await {
            return Ok(ExitCode::from(4));
        }
        Ok(code)
    })
}

/// What collecting the dead came to.
struct Reaped {
    /// How the program ended, if it was among them.
    status: Option<ExitStatus>,
    /// No child is left, dead or alive.
    is_childless: bool,
}

/// Collects every dead child.
fn reap(program: Pid) -> Reaped {
    let mut reaped = Reaped { status: None, is_childless: false };
    loop {
        let raw = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == program => code << 8,
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == program => signal as i32,
            Ok(WaitStatus::StillAlive) => return reaped,
            Ok(_) | Err(Errno::EINTR) => continue,
            Err(_) => {
                reaped.is_childless = true;
                return reaped;
            }
        };
        reaped.status = Some(ExitStatus::from_raw(raw));
    }
}

/// Copies the program's output to the log, and its first lines to the parent.
fn pump(mut pipe: BufReader<PipeReader>, mut log: File) {
    let mut line = Vec::new();
    let mut forwarded = 0;
    while let Ok(1..) = pipe.read_until(b'\n', &mut line) {
        // A full disk must not stop the browser.
        let _ = log.write_all(&line);
        if forwarded < FORWARDED_LINES {
            forwarded += 1;
            line.truncate(FORWARDED_BYTES);
            Notice::Line(String::from_utf8_lossy(&line).trim_end()).send();
        }
        line.clear();
    }
}

/// Lets a dead program's last output arrive before its exit is reported. Descendants may hold the
/// pipe open, so this waits only a moment.
fn drain(pump: &JoinHandle<()>) {
    let deadline = Instant::now() + Duration::from_millis(200);
    while !pump.is_finished() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_command_line_is_understood() {
        let parse = |line: &str| Order::parse(line.split(' ').map(OsString::from));
        assert_eq!(
            parse("--log l --scratch s p -a --log"),
            Some(Order {
                log: "l".into(),
                scratch: "s".into(),
                program: "p".into(),
                args: vec!["-a".into(), "--log".into()],
            })
        );
        for broken in ["", "--log", "--log l p", "--scratch s --log l p", "--log l --scratch s"] {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn notices_are_distinguished_from_anything_else() {
        assert_eq!(Notice::parse("line a b"), Some(Notice::Line("a b")));
        assert_eq!(Notice::parse("exited signal: 9"), Some(Notice::Exited("signal: 9")));
        assert_eq!(Notice::parse("running 1 test"), None);
        assert_eq!(Notice::parse(""), None);
    }
}
