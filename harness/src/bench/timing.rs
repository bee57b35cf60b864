//! A page that notes when things happened, by the page's own clock.
//!
//! Every event carries the moment at which the page's main thread saw it (`performance.now()` in a
//! browser). These stamps are taken alike for every engine, ours included, so figures made of them
//! compare; what an engine says of itself is kept beside them and decides nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use inference_wasm::protocol::{Command, PageEvent, PageEventKind, Phase};
use tokio::time::Instant;

use crate::drive::browser::{Diagnosis, Trouble};
use crate::drive::page::Page;
use crate::drive::server::PageSetup;
use crate::drive::server::PageSignal;

/// When the parts of a command happened, in milliseconds since the page began.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Laps {
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

impl Laps {
    /// Takes an event in.
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

    /// Milliseconds that a load took: until the page was ready, and from the command to its end.
    /// What passed in between was the host's.
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

/// The laps of a page that somebody else has in use.
#[derive(Debug, Clone, Default)]
pub(super) struct Face(Arc<Mutex<Laps>>);

impl Face {
    /// The laps of the latest command.
    pub(super) fn laps(&self) -> Laps {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Laps> {
        // Laps are plain numbers: no panic can leave them half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A page with its laps.
#[derive(Debug)]
pub(super) struct Stopwatch<P> {
    page: P,
    face: Face,
}

impl<P> Stopwatch<P> {
    pub(super) fn new(page: P) -> Self {
        Self { page, face: Face::default() }
    }

    /// The page itself.
    pub(super) fn page(&self) -> &P {
        &self.page
    }

    /// Where the laps can be read.
    pub(super) fn face(&self) -> Face {
        self.face.clone()
    }
}

impl<P: Page + Send> Page for Stopwatch<P> {
    fn serve(&mut self, setup: PageSetup) {
        self.page.serve(setup);
    }

    async fn submit(&mut self, command: &Command) -> Result<(), Trouble> {
        {
            let mut laps = self.face.lock();
            *laps = Laps { ready: laps.ready, ..Laps::default() };
        }
        self.page.submit(command).await
    }

    async fn cancel(&mut self) -> Result<(), Trouble> {
        self.page.cancel().await
    }

    async fn next_signal(&mut self, deadline: Instant) -> Option<PageSignal> {
        let signal = self.page.next_signal(deadline).await;
        if let Some(PageSignal::Event(event)) = &signal {
            self.face.lock().note(event);
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
    fn laps_are_those_of_the_events() {
        let mut laps = Laps::default();
        assert_eq!((laps.load_ms(), laps.first_token_ms(), laps.decode_ms()), (None, None, None));
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
            laps.note(&PageEvent { seq: 0, at_ms, command: None, kind });
        }
        assert_eq!(laps.load_ms(), Some(185.0));
        assert_eq!(laps.first_token_ms(), Some(30.0));
        assert_eq!(laps.decode_ms(), Some(40.0));
    }
}
