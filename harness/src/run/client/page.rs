//! One page of the client: a conversation, and everything that the client reported in it.

use inference_wasm::client::machine::Input;
use inference_wasm::protocol::{Action, ClientAction, Finished, PageEventKind};
use serde_json::Value;
use tokio::time::Instant;

use super::visit::Visit;
use crate::drive::browser::Browser;
use crate::drive::page::BrowserPage;
use crate::drive::server::PageHandle;
use crate::judge::outcome::{Failed, Outcome};
use crate::run::conversation::Conversation;
use crate::spec::matrix::Timeouts;

/// A page that is open.
#[derive(Debug)]
pub(super) struct ClientPage<'b> {
    conversation: Conversation<'b, BrowserPage<'b>>,
    /// What the client reported so far.
    pub(super) visit: Visit,
    timeouts: Timeouts,
    /// When the client last did something.
    pub(super) active: Instant,
    /// Results by command, until their command takes them.
    results: Vec<(u32, Finished)>,
}

impl<'b> ClientPage<'b> {
    /// Opens the page and waits until it takes commands.
    pub(super) async fn open(
        browser: &'b Browser,
        handle: PageHandle,
        timeouts: Timeouts,
        attempt_ends: Instant,
    ) -> Result<Self, Failed> {
        let page = BrowserPage::open(browser, handle).await?;
        let active = Instant::now();
        let conversation = Conversation::owning(page, timeouts, attempt_ends).await?;
        Ok(Self { conversation, visit: Visit::default(), timeouts, active, results: Vec::new() })
    }

    /// The logits that came under a number; once.
    pub(super) fn take_logits(&mut self, command: u32) -> Option<Vec<f32>> {
        self.conversation.take_logits(command)
    }

    /// Hands an input over, without waiting for what the client makes of it.
    pub(super) async fn input(&mut self, input: Input) -> Result<(), Failed> {
        let input = Box::new(input);
        let action = Action::Client(ClientAction::Input { input });
        self.conversation.submit(action).await.map(drop)
    }

    /// Sends parameters to a shim, and waits until it has received them.
    pub(super) async fn trigger(&mut self, shim: &str, params: Value) -> Result<(), Failed> {
        let shim = shim.to_owned();
        self.command(ClientAction::Trigger { shim, params }).await.map(drop)
    }

    /// Carries out a command to its end.
    pub(super) async fn command(&mut self, action: ClientAction) -> Result<Finished, Failed> {
        const PHASE: &str = "command";
        let id = self.conversation.submit(Action::Client(action)).await?;
        let limit = self.timeouts.ready;
        let until = Instant::now() + limit;
        loop {
            if let Some(index) = self.results.iter().position(|(ended, _)| *ended == id) {
                return Ok(self.results.swap_remove(index).1);
            }
            if !self.next(PHASE, until).await? && Instant::now() >= until {
                return Err(Outcome::TimedOut { phase: PHASE.to_owned(), limit }.into());
            }
        }
    }

    /// Takes the next event of the page; false if there is none by `until`.
    ///
    /// # Errors
    /// Whatever ends the attempt: an error of the page, its silence, the attempt's own deadline.
    pub(super) async fn next(&mut self, phase: &str, until: Instant) -> Result<bool, Failed> {
        let Some(event) = self.conversation.next(phase, until).await? else { return Ok(false) };
        match event.kind {
            PageEventKind::Finished { result } => {
                self.results.extend(event.command.map(|id| (id, result)));
            }
            PageEventKind::Failed { error } => {
                let message = format!("the client's page refused a command: {}", error.message);
                return Err(Failed::page_error(message));
            }
            kind => {
                if matches!(kind, PageEventKind::Client { .. }) {
                    self.active = Instant::now();
                }
                self.visit.take(kind);
            }
        }
        Ok(true)
    }

    /// Takes the events that have come already.
    pub(super) async fn drain(&mut self, phase: &str) -> Result<(), Failed> {
        while self.next(phase, Instant::now()).await? {}
        Ok(())
    }

    /// Leaves the page.
    pub(super) async fn leave(self) -> Result<Visit, Failed> {
        self.conversation.close().await?;
        Ok(self.visit)
    }
}
