//! The conversation with a page: commands go in, events come out, and every wait has a deadline.
//!
//! Everything that can end an attempt from outside of its scenario is recognized here: errors of
//! the page, breaches of the protocol, silence. What a result means is decided by the caller.

use std::time::Duration;

use inference_wasm::protocol::{
    Action, Command, EngineError, Finished, PageEvent, PageEventKind, Phase,
};
use tokio::time::Instant;

use super::failure::{fatal, unexpected_error};
use crate::drive::browser::Diagnosis;
use crate::drive::page::Page;
use crate::drive::server::{PageSetup, PageSignal};
use crate::judge::outcome::{Failed, Outcome};
use crate::spec::matrix::Timeouts;

/// How long a silent page gets to report why it is silent.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How a command ended.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(crate) enum End {
    /// With a result.
    Finished(Finished),
    /// With a typed error, which a scenario may expect.
    Failed(EngineError),
}

impl End {
    /// The result, where no error is expected.
    pub(crate) fn finished(self) -> Result<Finished, Failed> {
        match self {
            Self::Finished(finished) => Ok(finished),
            Self::Failed(error) => Err(unexpected_error(error).into()),
        }
    }
}

/// A token that came in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TokenSeen {
    /// Its id.
    pub(crate) id: u32,
    /// The text that it completed.
    pub(crate) text: String,
}

/// What happens while a command runs.
pub(crate) struct Watch<'w> {
    /// Called with each phase.
    pub(crate) progress: &'w mut dyn FnMut(String),
    /// Called with each token.
    pub(crate) on_token: &'w mut dyn FnMut(TokenSeen),
    /// The command is cancelled after this many tokens.
    pub(crate) cancel_after: Option<u32>,
}

/// A conversation with one page.
#[derive(Debug)]
pub(crate) struct Conversation<'p, P> {
    page: Held<'p, P>,
    timeouts: Timeouts,
    /// The end of the whole attempt.
    deadline: Instant,
    /// When the page last reported anything.
    heard: Instant,
    next_id: u32,
}

/// A page that the conversation ends, or one that its caller goes on with.
#[derive(Debug)]
enum Held<'p, P> {
    Borrowed(&'p mut P),
    Owned(P),
}

impl<P> Held<'_, P> {
    fn page(&mut self) -> &mut P {
        match self {
            Self::Borrowed(page) => page,
            Self::Owned(page) => page,
        }
    }
}

/// The clocks of a command.
struct Clocks {
    phase: Option<Phase>,
    phase_began: Instant,
    progressed: Instant,
}

impl<'p, P: Page> Conversation<'p, P> {
    /// Waits until the page is ready and speaks our protocol. The attempt begins now.
    ///
    /// # Errors
    /// How the attempt ended before it was ready.
    pub(crate) async fn open(page: &'p mut P, timeouts: Timeouts) -> Result<Self, Failed> {
        let deadline = Instant::now() + timeouts.attempt;
        Self::begin(Held::Borrowed(page), timeouts, deadline).await
    }

    /// The same with a page of its own, in an attempt that ends at `deadline`.
    ///
    /// # Errors
    /// How the attempt ended before it was ready.
    pub(crate) async fn owning(
        page: P,
        timeouts: Timeouts,
        deadline: Instant,
    ) -> Result<Self, Failed> {
        Self::begin(Held::Owned(page), timeouts, deadline).await
    }

    async fn begin(
        page: Held<'p, P>,
        timeouts: Timeouts,
        deadline: Instant,
    ) -> Result<Self, Failed> {
        let heard = Instant::now();
        let mut opened = Self { page, timeouts, deadline, heard, next_id: 1 };
        let limit = timeouts.ready;
        let until = heard + limit;
        loop {
            let event = match opened.page.page().next_signal(until).await {
                // Another version was reported as a breach before this event.
                Some(PageSignal::Event(PageEvent {
                    kind: PageEventKind::Ready { .. }, ..
                })) => {
                    opened.heard = Instant::now();
                    return Ok(opened);
                }
                Some(PageSignal::Event(event)) => event,
                Some(PageSignal::Protocol(message)) => return Err(Failed::page_error(message)),
                None => return Err(opened.silent("ready", limit, limit).await),
            };
            fatal(&event.kind)?;
        }
    }

    /// Hands a command over and returns its id, without waiting for its end.
    pub(crate) async fn submit(&mut self, action: Action) -> Result<u32, Failed> {
        let id = self.next_id;
        self.next_id += 1;
        self.page.page().submit(&Command { id, action }).await?;
        Ok(id)
    }

    /// Waits for the next event; `None` if there is none by `until`. `phase` names the wait.
    ///
    /// # Errors
    /// Whatever ends the attempt: an error of the page, its silence, the attempt's own deadline.
    pub(crate) async fn next(
        &mut self,
        phase: &str,
        until: Instant,
    ) -> Result<Option<PageEvent>, Failed> {
        let silence = self.timeouts.silence;
        let until = until.min(self.heard + silence).min(self.deadline);
        if let Some(event) = self.event(until).await? {
            return Ok(Some(event));
        }
        let now = Instant::now();
        if now >= self.heard + silence {
            return Err(self.silent(phase, silence, silence).await);
        }
        if now >= self.deadline { Err(self.out_of_time(phase)) } else { Ok(None) }
    }

    /// The next event that does not end the attempt.
    async fn event(&mut self, until: Instant) -> Result<Option<PageEvent>, Failed> {
        let Some(signal) = self.page.page().next_signal(until).await else { return Ok(None) };
        self.heard = Instant::now();
        match signal {
            PageSignal::Event(event) => fatal(&event.kind).map(|()| Some(event)),
            PageSignal::Protocol(message) => Err(Failed::page_error(message)),
        }
    }

    /// Runs a command that has to end with a result, without watching its progress.
    ///
    /// # Errors
    /// How the attempt ended instead; an error of the engine among others.
    pub(crate) async fn ask(&mut self, action: Action) -> Result<Finished, Failed> {
        let watch = Watch { progress: &mut |_| {}, on_token: &mut |_| {}, cancel_after: None };
        self.command(action, watch).await?.1.finished()
    }

    /// Runs one command to its end, with a limit for each of its phases.
    ///
    /// # Errors
    /// How the attempt ended before the command did.
    pub(crate) async fn command(
        &mut self,
        action: Action,
        watch: Watch<'_>,
    ) -> Result<(u32, End), Failed> {
        let id = self.submit(action).await?;
        let now = Instant::now();
        self.heard = now;
        let mut clocks = Clocks { phase: None, phase_began: now, progressed: now };
        let Watch { progress, on_token, cancel_after } = watch;
        let mut tokens = 0;
        loop {
            let Some(event) = self.event(self.until(&clocks)).await? else {
                self.overdue(&clocks).await?;
                continue;
            };
            if event.command != Some(id) {
                continue;
            }
            match event.kind {
                PageEventKind::Phase { phase } => {
                    progress(phase.to_string());
                    let (phase, now) = (Some(phase), self.heard);
                    clocks = Clocks { phase, phase_began: now, progressed: now };
                }
                PageEventKind::LoadProgress { .. } => clocks.progressed = self.heard,
                PageEventKind::OpsProgress { cases, total_cases } => {
                    clocks.progressed = self.heard;
                    progress(format!("ops, {cases} of {total_cases} cases"));
                }
                PageEventKind::Token { id, text, .. } => {
                    clocks.progressed = self.heard;
                    tokens += 1;
                    on_token(TokenSeen { id, text });
                    if cancel_after == Some(tokens) {
                        self.page.page().cancel().await?;
                    }
                }
                PageEventKind::Finished { result } => return Ok((id, End::Finished(result))),
                PageEventKind::Failed { error } => return Ok((id, End::Failed(error))),
                _ => {}
            }
        }
    }

    /// Sets what the page finds under `models/` from now on.
    pub(crate) fn serve(&mut self, setup: PageSetup) {
        self.page.page().serve(setup);
    }

    /// The logits that came for a command, row after row; once.
    pub(crate) fn take_logits(&mut self, command: u32) -> Option<Vec<f32>> {
        self.page.page().take_logits(command)
    }

    /// Ends the page, if the conversation owns it.
    pub(crate) async fn close(self) -> Result<(), Failed> {
        match self.page {
            Held::Borrowed(_) => Ok(()),
            Held::Owned(page) => Ok(page.close().await?),
        }
    }

    /// The next moment at which something is overdue.
    fn until(&self, clocks: &Clocks) -> Instant {
        let mut until = self.deadline.min(self.heard + self.timeouts.silence);
        until = until.min(clocks.phase_began + self.limit(clocks.phase));
        if reports_progress(clocks.phase) {
            until = until.min(clocks.progressed + self.timeouts.silence);
        }
        until
    }

    fn limit(&self, phase: Option<Phase>) -> Duration {
        phase.map_or(self.timeouts.ready, |phase| self.timeouts.of(phase))
    }

    /// Fails if anything is overdue now.
    async fn overdue(&mut self, clocks: &Clocks) -> Result<(), Failed> {
        let now = Instant::now();
        let phase = clocks.phase.map_or("submit", Phase::as_str);
        let silence = self.timeouts.silence;
        let unheard = now.saturating_duration_since(self.heard);
        if unheard >= silence {
            return Err(self.silent(phase, unheard, silence).await);
        }
        let silent_for = now.saturating_duration_since(clocks.progressed);
        let limit = self.limit(clocks.phase);
        let is_stuck = reports_progress(clocks.phase) && silent_for >= silence;
        let is_late = now >= clocks.phase_began + limit;
        let phase = phase.to_owned();
        if is_stuck || is_late && clocks.phase.is_none() {
            // The page's main thread is alive; the engine in its worker is not making progress.
            Err(Outcome::Hung { phase, silent_for }.into())
        } else if is_late {
            Err(Outcome::TimedOut { phase, limit }.into())
        } else if now >= self.deadline {
            Err(self.out_of_time(&phase))
        } else {
            Ok(())
        }
    }

    fn out_of_time(&self, phase: &str) -> Failed {
        let limit = self.timeouts.attempt;
        Outcome::TimedOut { phase: format!("attempt, in {phase}"), limit }.into()
    }

    /// Why nothing was heard from a page: it hangs, or it is gone. It may also have panicked just
    /// when the clock ran out, so that its last words are still to come.
    async fn silent(&mut self, phase: &str, silent_for: Duration, limit: Duration) -> Failed {
        let page = self.page.page();
        let diagnosis = page.diagnose().await;
        while let Some(signal) = page.next_signal(Instant::now() + LAST_WORDS).await {
            if let PageSignal::Event(event) = signal
                && let Err(failed) = fatal(&event.kind)
            {
                return failed;
            }
        }
        let phase = phase.to_owned();
        match diagnosis {
            Diagnosis::Crashed { message } => Outcome::BrowserCrashed { message }.into(),
            Diagnosis::DriverExited { message } => Failed::trouble(&phase, message),
            Diagnosis::Alive if phase == "ready" => Outcome::TimedOut { phase, limit }.into(),
            Diagnosis::Alive | Diagnosis::Unresponsive { .. } => {
                Outcome::Hung { phase, silent_for }.into()
            }
        }
    }
}

/// Whether a phase reports progress: at every shard or token, or after some cases.
fn reports_progress(phase: Option<Phase>) -> bool {
    match phase {
        Some(Phase::Fetch | Phase::Decode | Phase::Ops) => true,
        Some(Phase::Probe | Phase::Prepare | Phase::Prefill | Phase::Score | Phase::Release)
        | None => false,
    }
}
