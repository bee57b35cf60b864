//! Starting a driver: its port, and the moment from which it answers.
//!
//! Sessions are opened elsewhere; see [`session`](super::session).

use std::ffi::OsString;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::session::wire::Wire;
use super::supervise::{NoLine, Program, Supervised, Supervisor};
use super::trouble::{Trouble, TroubleKind};
use super::vendor::{Port, Vendor};

const PHASE: &str = "start driver";

/// A driver is up within a second; a loaded CI machine, or a macOS that checks the program's
/// signature first, takes its time.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A port that is free when chosen may be taken by another program by the time the driver listens
/// on it, even when the driver chooses: Chromium's wants the same number on IPv4 and on IPv6.
const ATTEMPTS: u32 = 3;

/// A running driver that answers.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) process: Supervised,
    /// `http://127.0.0.1:PORT/`.
    pub(crate) url: String,
}

/// The inputs for starting a driver.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    pub(crate) vendor: &'static Vendor,
    pub(crate) executable: PathBuf,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) without_env: Vec<&'static str>,
    pub(crate) log: PathBuf,
    pub(crate) supervisor: &'a Supervisor,
}

impl Start<'_> {
    /// Starts the driver and waits until it answers.
    pub(crate) async fn run(&self) -> Result<Driver, Trouble> {
        let deadline = Instant::now() + START_LIMIT;
        let mut attempt = 1;
        loop {
            match self.attempt(deadline).await {
                Err(Trouble { kind: TroubleKind::DriverExited { .. }, .. })
                    if attempt < ATTEMPTS =>
                {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn attempt(&self, deadline: Instant) -> Result<Driver, Trouble> {
        match &self.vendor.port {
            Port::Chosen { args, parse } => {
                let mut process = self.spawn(args.iter().map(OsString::from).collect())?;
                let limit = deadline.saturating_duration_since(Instant::now());
                let port = process.wait_for_line(limit, parse).await;
                let port = port.map_err(|error| self.no_line(error))?;
                self.ready(process, port, deadline).await
            }
            Port::Given { args } => {
                let port = free_port()?;
                let process = self.spawn(args(port).into_iter().map(Into::into).collect())?;
                self.ready(process, port, deadline).await
            }
        }
    }

    fn spawn(&self, args: Vec<OsString>) -> Result<Supervised, Trouble> {
        let program = Program {
            path: self.executable.clone(),
            args,
            env: self.env.clone(),
            without_env: self.without_env.clone(),
            log: self.log.clone(),
        };
        self.supervisor.spawn(&program).map_err(|error| {
            let message = format!("`{}` can't be started: {error}", self.executable.display());
            Trouble::new(PHASE, TroubleKind::Start { message })
        })
    }

    async fn ready(
        &self,
        process: Supervised,
        port: u16,
        deadline: Instant,
    ) -> Result<Driver, Trouble> {
        let url = format!("http://127.0.0.1:{port}/");
        let wire = Wire::new(&url);
        loop {
            let status = tokio::time::timeout(Duration::from_secs(2), wire.get("status")).await;
            if let Some(how) = process.has_exited() {
                return Err(self.no_line(NoLine::Exited(how)));
            }
            if matches!(status, Ok(Ok(_))) {
                return Ok(Driver { process, url });
            }
            if Instant::now() >= deadline {
                return Err(self.no_line(NoLine::TimedOut));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn no_line(&self, error: NoLine) -> Trouble {
        Trouble::new(
            PHASE,
            match error {
                NoLine::TimedOut => TroubleKind::TimedOut { limit: START_LIMIT },
                NoLine::Exited(how) => TroubleKind::DriverExited {
                    how: format!("{how}{}", last_words(&self.log)),
                    log: self.log.clone(),
                },
            },
        )
    }
}

/// The last line of a log, to follow another sentence: the file itself is often gone by the
/// time that a user reads the message.
fn last_words(log: &Path) -> String {
    let text = fs_err::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    line.map(|line| format!("; its last words: {line}")).unwrap_or_default()
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16, Trouble> {
    let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    port.map(|address| address.port()).map_err(|error| {
        let message = format!("no free port on 127.0.0.1: {error}");
        Trouble::new(PHASE, TroubleKind::Start { message })
    })
}
