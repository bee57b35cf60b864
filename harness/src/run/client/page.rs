//! One page of the client: commands go in, and everything that it tells is followed, with a
//! deadline for every wait.

use std::time::Duration;

use inference_wasm::client::machine::Input;
use inference_wasm::protocol::{Action, ClientAction, Command, Finished, PageEventKind};
use serde_json::Value;
use tokio::time::Instant;

use super::visit::Visit;
use crate::drive::browser::{Browser, Diagnosis};
use crate::drive::page::{BrowserPage, Page};
use crate::drive::server::PageHandle;
use crate::drive::server::PageSignal;
use crate::judge::outcome::Outcome;
use crate::run::conversation::{fatal, outcome_of};
use crate::spec::matrix::Timeouts;

/// A page that is open.
#[derive(Debug)]
pub(super) struct Drive<'b> {
    page: BrowserPage<'b>,
    /// What was told so far.
    pub(super) visit: Visit,
    timeouts: Timeouts,
    /// The end of the whole attempt.
    attempt_ends: Instant,
    heard: Instant,
    /// When the client last did something.
    pub(super) stirred: Instant,
    next_command: u32,
    ended: Vec<(u32, Finished)>,
}

impl<'b> Drive<'b> {
    /// Opens the page and waits until it takes commands.
    pub(super) async fn open(
        browser: &'b Browser,
        handle: PageHandle,
        timeouts: Timeouts,
        attempt_ends: Instant,
    ) -> Result<Self, Box<Outcome>> {
        let page = BrowserPage::open(browser, handle).await;
        let page = page.map_err(|trouble| outcome_of(&trouble))?;
        let now = Instant::now();
        let mut drive = Self {
            page,
            visit: Visit::default(),
            timeouts,
            attempt_ends,
            heard: now,
            stirred: now,
            next_command: 1,
            ended: Vec::new(),
        };
        let until = now + timeouts.ready;
        loop {
            match drive.page.next_signal(until).await {
                Some(PageSignal::Event(event)) => match event.kind {
                    PageEventKind::Ready { .. } => break,
                    kind => {
                        if let Some(outcome) = fatal(kind) {
                            return Err(Box::new(outcome));
                        }
                    }
                },
                Some(PageSignal::Protocol(message)) => {
                    return Err(Box::new(Outcome::PageError { message }));
                }
                None => return Err(drive.silent("ready", timeouts.ready).await),
            }
        }
        drive.heard = Instant::now();
        Ok(drive)
    }

    /// The logits that came under a number; once.
    pub(super) fn take_logits(&mut self, command: u32) -> Option<Vec<f32>> {
        self.page.take_logits(command)
    }

    /// Hands an input over. Nothing comes of it but what the client makes of it.
    pub(super) async fn input(&mut self, input: Input) -> Result<(), Box<Outcome>> {
        let input = Box::new(input);
        self.submit(ClientAction::Input { input }).await.map(drop)
    }

    /// Tells a shim something, and waits until it has heard.
    pub(super) async fn trigger(&mut self, shim: &str, params: Value) -> Result<(), Box<Outcome>> {
        let shim = shim.to_owned();
        self.command(ClientAction::Trigger { shim, params }).await.map(drop)
    }

    async fn submit(&mut self, action: ClientAction) -> Result<u32, Box<Outcome>> {
        let id = self.next_command;
        self.next_command += 1;
        let command = Command { id, action: Action::Client(action) };
        let submitted = self.page.submit(&command).await;
        submitted.map_err(|trouble| outcome_of(&trouble))?;
        Ok(id)
    }

    /// Carries out a command to its end.
    pub(super) async fn command(&mut self, action: ClientAction) -> Result<Finished, Box<Outcome>> {
        const PHASE: &str = "command";
        let id = self.submit(action).await?;
        let limit = self.timeouts.ready;
        let until = Instant::now() + limit;
        loop {
            if let Some(index) = self.ended.iter().position(|(ended, _)| *ended == id) {
                return Ok(self.ended.swap_remove(index).1);
            }
            if !self.next(PHASE, until).await? && Instant::now() >= until {
                let phase = PHASE.to_owned();
                return Err(Box::new(Outcome::TimedOut { phase, limit }));
            }
        }
    }

    /// Takes in one thing that the page tells; says whether there was one by then.
    ///
    /// # Errors
    /// What ends the attempt whatever the scenario says: an error of the page, or its silence.
    pub(super) async fn next(&mut self, phase: &str, until: Instant) -> Result<bool, Box<Outcome>> {
        let silence = self.timeouts.silence;
        let deadline = until.min(self.heard + silence).min(self.attempt_ends);
        let Some(signal) = self.page.next_signal(deadline).await else {
            let now = Instant::now();
            if now >= self.heard + silence {
                return Err(self.silent(phase, silence).await);
            }
            if now >= self.attempt_ends {
                let phase = format!("attempt, in {phase}");
                let limit = self.timeouts.attempt;
                return Err(Box::new(Outcome::TimedOut { phase, limit }));
            }
            return Ok(false);
        };
        self.heard = Instant::now();
        let event = match signal {
            PageSignal::Event(event) => event,
            PageSignal::Protocol(message) => {
                return Err(Box::new(Outcome::PageError { message }));
            }
        };
        match event.kind {
            PageEventKind::Finished { result } => {
                self.ended.extend(event.command.map(|id| (id, result)));
            }
            PageEventKind::Failed { error } => {
                let message = format!("the client's page refused a command: {}", error.message);
                return Err(Box::new(Outcome::PageError { message }));
            }
            kind => {
                if matches!(kind, PageEventKind::Client { .. }) {
                    self.stirred = self.heard;
                }
                if let Some(outcome) = fatal(kind.clone()) {
                    return Err(Box::new(outcome));
                }
                self.visit.take(kind);
            }
        }
        Ok(true)
    }

    /// Takes in what has come already.
    pub(super) async fn drain(&mut self, phase: &str) -> Result<(), Box<Outcome>> {
        while self.next(phase, Instant::now()).await? {}
        Ok(())
    }

    /// A page from which nothing was heard.
    async fn silent(&mut self, phase: &str, limit: Duration) -> Box<Outcome> {
        let phase = phase.to_owned();
        Box::new(match self.page.diagnose().await {
            Diagnosis::Crashed { message } => Outcome::BrowserCrashed { message },
            Diagnosis::DriverExited { message } => Outcome::Infrastructure { phase, message },
            Diagnosis::Alive if phase == "ready" => Outcome::TimedOut { phase, limit },
            Diagnosis::Alive | Diagnosis::Unresponsive { .. } => {
                Outcome::Hung { phase, silent_for: limit }
            }
        })
    }

    /// Leaves the page.
    pub(super) async fn leave(self) -> Result<Visit, Box<Outcome>> {
        self.page.close().await.map_err(|trouble| outcome_of(&trouble))?;
        Ok(self.visit)
    }

    /// What was told, of a page that is gone already.
    pub(super) fn abandon(self) -> Visit {
        self.visit
    }
}
