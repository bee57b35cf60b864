//! A peer in a process of its own, as a page: it takes commands by HTTP on its port and posts its
//! events to our server, as a page does.
//!
//! The process prints `listening on PORT` once it takes commands. It runs under a supervisor, which
//! ends it when we end.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use inference_wasm::protocol::Command;
use serde_json::json;
use tokio::time::Instant;

use crate::drive::browser::supervise::{NoLine, Program, Supervised, Supervisor};
use crate::drive::browser::{Diagnosis, Trouble, TroubleKind};
use crate::drive::page::Page;
use crate::drive::server::PageSignal;
use crate::drive::server::{PageHandle, PageSetup};

/// Limit for the process to listen: it starts Python and loads tens of megabytes.
const START_LIMIT: Duration = Duration::from_mins(1);
/// Limit for it to accept a command; it works on it afterwards.
const SUBMIT_LIMIT: Duration = Duration::from_secs(10);

/// How a process is started.
#[derive(Debug, Clone)]
pub(super) struct Driver {
    /// The interpreter.
    pub(super) python: PathBuf,
    /// The script; its arguments are the URL of its page on the server and the model's path.
    pub(super) script: PathBuf,
    /// The GGUF.
    pub(super) model: PathBuf,
    /// Where its output goes.
    pub(super) log: PathBuf,
}

/// A running process that takes commands.
#[derive(Debug)]
pub(crate) struct ProcessPage {
    process: Supervised,
    handle: PageHandle,
    submit_url: String,
}

impl ProcessPage {
    /// Starts the process and waits until it listens.
    pub(super) async fn open(
        supervisor: &Supervisor,
        driver: &Driver,
        handle: PageHandle,
    ) -> Result<Self, Trouble> {
        const PHASE: &str = "start peer";
        let program = Program {
            path: driver.python.clone(),
            args: [driver.script.as_os_str(), handle.url.as_ref(), driver.model.as_os_str()]
                .map(OsString::from)
                .to_vec(),
            env: vec![("PYTHONUNBUFFERED".into(), "1".into())],
            without_env: Vec::new(),
            log: driver.log.clone(),
        };
        let mut process = supervisor.spawn(&program).map_err(|error| {
            let message = format!("`{}` can't be started: {error}", driver.python.display());
            Trouble::new(PHASE, TroubleKind::Start { message })
        })?;
        let port = process.wait_for_line(START_LIMIT, listening_port).await;
        let port = port.map_err(|error| {
            let kind = match error {
                NoLine::TimedOut => TroubleKind::TimedOut { limit: START_LIMIT },
                NoLine::Exited(how) => {
                    let log = driver.log.display();
                    let message =
                        format!("the peer ended: {how}\n  hint: its output is in `{log}`");
                    TroubleKind::Start { message }
                }
            };
            Trouble::new(PHASE, kind)
        })?;
        let submit_url = format!("http://127.0.0.1:{port}/submit");
        Ok(Self { process, handle, submit_url })
    }

    /// The process whose descendant it is.
    pub(super) fn supervisor_id(&self) -> Option<u32> {
        self.process.supervisor_id()
    }
}

fn listening_port(line: &str) -> Option<u16> {
    line.strip_prefix("listening on ")?.trim().parse().ok()
}

/// Posts a command; blocks.
fn post(url: &str, command: &Command) -> Result<(), String> {
    let config = ureq::Agent::config_builder().timeout_global(Some(SUBMIT_LIMIT)).build();
    let agent = ureq::Agent::new_with_config(config);
    let sent = agent.post(url).content_type("application/json").send(json!(command).to_string());
    sent.map(drop).map_err(|error| format!("the peer did not accept the command: {error}"))
}

impl Page for ProcessPage {
    fn serve(&mut self, setup: PageSetup) {
        self.handle.serve(setup);
    }

    async fn submit(&mut self, command: &Command) -> Result<(), Trouble> {
        let (url, command) = (self.submit_url.clone(), command.clone());
        let sent = tokio::task::spawn_blocking(move || post(&url, &command)).await;
        let sent = sent.unwrap_or_else(|error| Err(error.to_string()));
        sent.map_err(|message| Trouble::new("submit command", TroubleKind::Http { message }))
    }

    /// A peer can't be interrupted; its process ends when the page is dropped.
    async fn cancel(&mut self) -> Result<(), Trouble> {
        Ok(())
    }

    async fn next_signal(&mut self, deadline: Instant) -> Option<PageSignal> {
        tokio::time::timeout_at(deadline, self.handle.signals.recv()).await.ok()?
    }

    fn take_logits(&mut self, command: u32) -> Option<Vec<f32>> {
        self.handle.take_logits(command)
    }

    async fn diagnose(&mut self) -> Diagnosis {
        match self.process.has_exited() {
            Some(how) => Diagnosis::Crashed { message: format!("the peer ended: {how}") },
            None => Diagnosis::Unresponsive { message: "the peer does not respond".to_owned() },
        }
    }

    async fn close(self) -> Result<(), Trouble> {
        self.process.shutdown().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listening_line_gives_the_port() {
        assert_eq!(listening_port("listening on 8123"), Some(8123));
        assert_eq!(listening_port("listening on port"), None);
        assert_eq!(listening_port("llama: listening on 8123"), None);
    }
}
