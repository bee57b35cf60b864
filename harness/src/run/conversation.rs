//! One command after the other with a page: deadlines by phase, silence, and everything that can
//! end an attempt from outside of a scenario.
//!
//! What a command's result means is the executor's business; here it only ends, or the attempt
//! does.

use std::time::Duration;

use inference_wasm::protocol::{
    Action, Command, EngineError, EngineErrorKind, Finished, PageEventKind, Phase,
};
use tokio::time::Instant;

use crate::drive::browser::{Diagnosis, Trouble};
use crate::drive::page::Page;
use crate::drive::server::PageSetup;
use crate::drive::server::PageSignal;
use crate::judge::outcome::Outcome;
use crate::spec::matrix::Timeouts;

/// How long the page is given to say why it went silent.
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

/// A token that came in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TokenSeen {
    /// Its id.
    pub(crate) id: u32,
    /// The text that it completed.
    pub(crate) text: String,
}

/// What a command may do while it runs.
pub(crate) struct Watch<'w> {
    /// Told about each phase and, in decoding, about each token.
    pub(crate) progress: &'w mut dyn FnMut(String),
    /// Told about each token.
    pub(crate) on_token: &'w mut dyn FnMut(TokenSeen),
    /// Cancel once this many tokens have come.
    pub(crate) cancel_after: Option<u32>,
}

/// A conversation with one page.
pub(crate) struct Conversation<'p, P> {
    page: &'p mut P,
    timeouts: Timeouts,
    /// The end of the whole attempt.
    deadline: Instant,
    next_id: u32,
}

/// The clocks of a command.
struct Clocks {
    phase: Option<Phase>,
    phase_began: Instant,
    heard: Instant,
    progressed: Instant,
}

impl<'p, P: Page> Conversation<'p, P> {
    /// Opens a conversation: waits until the page says that it is ready and speaks our protocol.
    pub(crate) async fn open(page: &'p mut P, timeouts: Timeouts) -> Result<Self, Box<Outcome>> {
        let deadline = Instant::now() + timeouts.attempt;
        let conversation = Self { page, timeouts, deadline, next_id: 1 };
        conversation.ready().await
    }

    async fn ready(mut self) -> Result<Self, Box<Outcome>> {
        let timeouts = self.timeouts;
        let until = Instant::now() + timeouts.ready;
        loop {
            match self.page.next_signal(until).await {
                Some(PageSignal::Event(event)) => match event.kind {
                    // Another version was told as a breach before this event.
                    PageEventKind::Ready { .. } => return Ok(self),
                    kind => {
                        if let Some(outcome) = fatal(kind) {
                            return Err(Box::new(outcome));
                        }
                    }
                },
                Some(PageSignal::Protocol(message)) => {
                    return Err(Box::new(Outcome::PageError { message }));
                }
                None => {
                    let limit = timeouts.ready;
                    return Err(self.silent("ready", limit, limit).await);
                }
            }
        }
    }

    /// Runs one command to its end.
    pub(crate) async fn command(
        &mut self,
        action: Action,
        watch: Watch<'_>,
    ) -> Result<(u32, End), Box<Outcome>> {
        let id = self.next_id;
        self.next_id += 1;
        self.page.submit(&Command { id, action }).await.map_err(|trouble| outcome_of(&trouble))?;
        let now = Instant::now();
        let mut clocks = Clocks { phase: None, phase_began: now, heard: now, progressed: now };
        let Watch { progress, on_token, cancel_after } = watch;
        let mut tokens = 0;
        loop {
            let signal = self.page.next_signal(self.until(&clocks)).await;
            let Some(signal) = signal else {
                if let Some(outcome) = self.overdue(&clocks).await {
                    return Err(outcome);
                }
                continue;
            };
            let event = match signal {
                PageSignal::Event(event) => event,
                PageSignal::Protocol(message) => {
                    return Err(Box::new(Outcome::PageError { message }));
                }
            };
            clocks.heard = Instant::now();
            let is_ours = event.command == Some(id);
            match event.kind {
                PageEventKind::Phase { phase } if is_ours => {
                    progress(phase.to_string());
                    clocks = Clocks {
                        phase: Some(phase),
                        phase_began: clocks.heard,
                        progressed: clocks.heard,
                        ..clocks
                    };
                }
                PageEventKind::LoadProgress { .. } if is_ours => clocks.progressed = clocks.heard,
                PageEventKind::OpsProgress { cases, total_cases } if is_ours => {
                    clocks.progressed = clocks.heard;
                    progress(format!("ops, {cases} of {total_cases} cases"));
                }
                PageEventKind::Token { id, text, .. } if is_ours => {
                    clocks.progressed = clocks.heard;
                    tokens += 1;
                    on_token(TokenSeen { id, text });
                    if cancel_after == Some(tokens) {
                        self.page.cancel().await.map_err(|trouble| outcome_of(&trouble))?;
                    }
                }
                PageEventKind::Finished { result } if is_ours => {
                    return Ok((id, End::Finished(result)));
                }
                PageEventKind::Failed { error } if is_ours => return Ok((id, End::Failed(error))),
                kind => {
                    if let Some(outcome) = fatal(kind) {
                        return Err(Box::new(outcome));
                    }
                }
            }
        }
    }

    /// What the page finds under `models/` from now on.
    pub(crate) fn serve(&mut self, setup: PageSetup) {
        self.page.serve(setup);
    }

    /// The logits that came for a command.
    pub(crate) fn take_logits(&mut self, command: u32) -> Option<Vec<f32>> {
        self.page.take_logits(command)
    }

    /// The next moment at which something is overdue.
    fn until(&self, clocks: &Clocks) -> Instant {
        let mut until = self.deadline.min(clocks.heard + self.timeouts.silence);
        until = until.min(clocks.phase_began + self.limit(clocks.phase));
        if reports_progress(clocks.phase) {
            until = until.min(clocks.progressed + self.timeouts.silence);
        }
        until
    }

    fn limit(&self, phase: Option<Phase>) -> Duration {
        phase.map_or(self.timeouts.ready, |phase| self.timeouts.of(phase))
    }

    /// What is overdue now, if anything is.
    async fn overdue(&mut self, clocks: &Clocks) -> Option<Box<Outcome>> {
        let now = Instant::now();
        let phase = clocks.phase.map_or("submit", Phase::as_str);
        let silence = self.timeouts.silence;
        let unheard = now.saturating_duration_since(clocks.heard);
        if unheard >= silence {
            return Some(self.silent(phase, unheard, silence).await);
        }
        let still = now.saturating_duration_since(clocks.progressed);
        let limit = self.limit(clocks.phase);
        let is_late = now >= clocks.phase_began + limit;
        if reports_progress(clocks.phase) && still >= silence || is_late && clocks.phase.is_none() {
            // The page's main thread lives, the engine in its worker does not move.
            return Some(Box::new(Outcome::Hung { phase: phase.to_owned(), silent_for: still }));
        }
        if is_late {
            return Some(Box::new(Outcome::TimedOut { phase: phase.to_owned(), limit }));
        }
        (now >= self.deadline).then(|| {
            let limit = self.timeouts.attempt;
            Box::new(Outcome::TimedOut { phase: format!("attempt, in {phase}"), limit })
        })
    }

    /// A page from which nothing was heard: hung, or gone and unable to say so.
    async fn silent(&mut self, phase: &str, silent_for: Duration, limit: Duration) -> Box<Outcome> {
        let diagnosis = self.page.diagnose().await;
        // A panic may have been on its way when the clock ran out.
        while let Some(signal) = self.page.next_signal(Instant::now() + LAST_WORDS).await {
            if let PageSignal::Event(event) = signal
                && let Some(outcome) = fatal(event.kind)
            {
                return Box::new(outcome);
            }
        }
        Box::new(match diagnosis {
            Diagnosis::Crashed { message } => Outcome::BrowserCrashed { message },
            Diagnosis::DriverExited { message } => {
                Outcome::Infrastructure { phase: phase.to_owned(), message }
            }
            Diagnosis::Alive if phase == "ready" => {
                Outcome::TimedOut { phase: phase.to_owned(), limit }
            }
            Diagnosis::Alive | Diagnosis::Unresponsive { .. } => {
                Outcome::Hung { phase: phase.to_owned(), silent_for }
            }
        })
    }
}

/// Phases in which something is heard at every shard or token, or after some cases.
fn reports_progress(phase: Option<Phase>) -> bool {
    match phase {
        Some(Phase::Fetch | Phase::Decode | Phase::Ops) => true,
        Some(Phase::Probe | Phase::Prepare | Phase::Prefill | Phase::Score | Phase::Release)
        | None => false,
    }
}

/// Events that end an attempt whatever the scenario says.
pub(super) fn fatal(kind: PageEventKind) -> Option<Outcome> {
    match kind {
        PageEventKind::Panicked { message } => Some(Outcome::Panicked { message }),
        PageEventKind::PageError { message, source } => {
            Some(Outcome::PageError { message: format!("{message} ({source})") })
        }
        PageEventKind::UnhandledRejection { reason } => {
            Some(Outcome::PageError { message: format!("unhandled rejection: {reason}") })
        }
        PageEventKind::Ready { .. } => {
            Some(Outcome::PageError { message: "the page was loaded a second time".to_owned() })
        }
        PageEventKind::Heartbeat
        | PageEventKind::Phase { .. }
        | PageEventKind::LoadProgress { .. }
        | PageEventKind::OpsProgress { .. }
        | PageEventKind::Token { .. }
        | PageEventKind::Finished { .. }
        | PageEventKind::Failed { .. }
        // Whatever next needs the device fails for it, with a type.
        | PageEventKind::DeviceLost { .. }
        | PageEventKind::Client { .. }
        | PageEventKind::ClientRan { .. }
        | PageEventKind::Injected { .. } => None,
    }
}

/// What trouble with a browser means for an attempt.
#[expect(
    clippy::unnecessary_box_returns,
    reason = "the error of a `Result`, where an outcome is boxed"
)]
pub(crate) fn outcome_of(trouble: &Trouble) -> Box<Outcome> {
    let message = trouble.to_string();
    Box::new(if trouble.is_crash() {
        Outcome::BrowserCrashed { message }
    } else {
        Outcome::Infrastructure { phase: trouble.phase.to_owned(), message }
    })
}

/// What a typed error means where the scenario expects a result.
pub(crate) fn unexpected_error(error: EngineError) -> Outcome {
    let mut message = error.message;
    if let Some(hint) = error.hint {
        message = format!("{message}\n  hint: {hint}");
    }
    match error.kind {
        EngineErrorKind::OutOfMemory => Outcome::OutOfMemory { message },
        EngineErrorKind::DeviceLost => Outcome::DeviceLost { reason: message },
        error => Outcome::EngineError { error, message },
    }
}
