//! A page that records the times of its events, by the page's own clock.
//!
//! The page's main thread stamps each event (`performance.now()` in a browser), for every engine
//! alike, ours included, so that figures made of these stamps can be compared. An engine's own
//! figures are recorded beside them and decide nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use inference_wasm::protocol::{Command, PageEvent, PageEventKind, Phase};
use tokio::time::Instant;

use crate::drive::browser::{Diagnosis, Trouble};
use crate::drive::page::Page;
use crate::drive::server::PageSetup;
use crate::drive::server::PageSignal;

/// Times of the parts of a command, in milliseconds since the page began.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Stamps {
    /// The page was ready for commands.
    pub(super) ready: Option<f64>,
    /// The first event of the latest command.
    pub(super) began: Option<f64>,
    /// Its prefill began.
    pub(super) prefill: Option<f64>,
    /// Its first token.
    pub(super) first_token: Option<f64>,
    /// Its latest token.
    pub(super) last_token: Option<f64>,
    /// It ended.
    pub(super) ended: Option<f64>,
}

impl Stamps {
    /// Records an event.
    fn note(&mut self, event: &PageEvent) {
        let at = Some(event.at_ms);
        match event.kind {
            PageEventKind::Ready { .. } => self.ready = at,
            PageEventKind::Phase { phase } => {
                self.began = self.began.or(at);
                if phase == Phase::Prefill {
                    self.prefill = self.prefill.or(at);
                }
            }
            PageEventKind::Token { .. } => {
                self.first_token = self.first_token.or(at);
                self.last_token = at;
            }
            PageEventKind::Finished { .. } | PageEventKind::Failed { .. } => self.ended = at,
            PageEventKind::Heartbeat
            | PageEventKind::LoadProgress { .. }
            | PageEventKind::OpsProgress { .. }
            | PageEventKind::DeviceLost { .. }
            | PageEventKind::Client { .. }
            | PageEventKind::ClientRan { .. }
            | PageEventKind::Injected { .. }
            | PageEventKind::Panicked { .. }
            | PageEventKind::PageError { .. }
            | PageEventKind::UnhandledRejection { .. } => {}
        }
    }

    /// Milliseconds of a load: until the page was ready, and from the command to its end. The time
    /// in between was the host's.
    pub(super) fn load_ms(&self) -> Option<f64> {
        Some(self.ready? + self.ended? - self.began?)
    }

    /// Milliseconds to the first token.
    pub(super) fn first_token_ms(&self) -> Option<f64> {
        Some(self.first_token? - self.prefill?)
    }

    /// Milliseconds from the first token to the last.
    pub(super) fn decode_ms(&self) -> Option<f64> {
        Some(self.last_token? - self.first_token?)
    }
}

/// The stamps of a page, readable while a conversation uses the page.
#[derive(Debug, Clone, Default)]
pub(super) struct Times(Arc<Mutex<Stamps>>);

impl Times {
    /// The stamps of the latest command.
    pub(super) fn latest(&self) -> Stamps {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Stamps> {
        // Stamps are plain numbers: a panic can't leave them half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A page with its stamps.
#[derive(Debug)]
pub(super) struct Timed<P> {
    page: P,
    times: Times,
}

impl<P> Timed<P> {
    pub(super) fn new(page: P) -> Self {
        Self { page, times: Times::default() }
    }

    /// The page itself.
    pub(super) fn page(&self) -> &P {
        &self.page
    }

    /// A handle to the stamps.
    pub(super) fn times(&self) -> Times {
        self.times.clone()
    }
}

impl<P: Page + Send> Page for Timed<P> {
    fn serve(&mut self, setup: PageSetup) {
        self.page.serve(setup);
    }

    async fn submit(&mut self, command: &Command) -> Result<(), Trouble> {
        {
            let mut stamps = self.times.lock();
            *stamps = Stamps { ready: stamps.ready, ..Stamps::default() };
        }
        self.page.submit(command).await
    }

    async fn cancel(&mut self) -> Result<(), Trouble> {
        self.page.cancel().await
    }

    async fn next_signal(&mut self, deadline: Instant) -> Option<PageSignal> {
        let signal = self.page.next_signal(deadline).await;
        if let Some(PageSignal::Event(event)) = &signal {
            self.times.lock().note(event);
        }
        signal
    }

    fn take_logits(&mut self, command: u32) -> Option<Vec<f32>> {
        self.page.take_logits(command)
    }

    async fn diagnose(&mut self) -> Diagnosis {
        self.page.diagnose().await
    }

    async fn close(self) -> Result<(), Trouble> {
        self.page.close().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_those_of_the_events() {
        let mut stamps = Stamps::default();
        assert_eq!(
            (stamps.load_ms(), stamps.first_token_ms(), stamps.decode_ms()),
            (None, None, None)
        );
        let ready = PageEventKind::Ready {
            protocol: 1,
            user_agent: String::new(),
            cross_origin_isolated: true,
        };
        let phase = |phase| PageEventKind::Phase { phase };
        let token = |index| PageEventKind::Token { index, id: 0, text: String::new() };
        let error = inference_wasm::protocol::EngineError {
            kind: inference_wasm::protocol::EngineErrorKind::InvalidRequest,
            message: String::new(),
            hint: None,
        };
        for (at_ms, kind) in [
            (100.0, ready),
            (150.0, phase(Phase::Fetch)),
            (160.0, phase(Phase::Prefill)),
            (190.0, token(0)),
            (191.0, PageEventKind::Heartbeat),
            (200.0, token(1)),
            (230.0, token(2)),
            (235.0, PageEventKind::Failed { error }),
        ] {
            stamps.note(&PageEvent { seq: 0, at_ms, command: None, kind });
        }
        assert_eq!(stamps.load_ms(), Some(185.0));
        assert_eq!(stamps.first_token_ms(), Some(30.0));
        assert_eq!(stamps.decode_ms(), Some(40.0));
    }
}
