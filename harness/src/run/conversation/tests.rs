//! What a conversation makes of a page that follows a script.

use std::collections::VecDeque;
use std::time::Duration;

use inference_wasm::protocol::{Action, Command, PROTOCOL_VERSION, PageEvent, PageEventKind};
use tokio::time::Instant;

use super::*;
use crate::drive::browser::{Diagnosis, Trouble};
use crate::drive::page::Page;
use crate::drive::server::{PageSetup, PageSignal};
use crate::judge::outcome::Outcome;
use crate::spec::matrix::Timeouts;

/// Reports its events at their times, and the diagnosis when it is asked.
struct ScriptedPage {
    events: VecDeque<(Instant, PageEventKind)>,
    diagnosis: fn() -> Diagnosis,
}

impl ScriptedPage {
    /// Ready at once; each event comes that many milliseconds from now.
    fn new(events: Vec<(u64, PageEventKind)>, diagnosis: fn() -> Diagnosis) -> Self {
        let (user_agent, cross_origin_isolated) = (String::new(), false);
        let ready =
            PageEventKind::Ready { protocol: PROTOCOL_VERSION, user_agent, cross_origin_isolated };
        let began = Instant::now();
        let at = |(ms, kind)| (began + Duration::from_millis(ms), kind);
        Self { events: [(0, ready)].into_iter().chain(events).map(at).collect(), diagnosis }
    }
}

impl Page for ScriptedPage {
    fn serve(&mut self, _setup: PageSetup) {}

    async fn submit(&mut self, _command: &Command) -> Result<(), Trouble> {
        Ok(())
    }

    async fn cancel(&mut self) -> Result<(), Trouble> {
        Ok(())
    }

    async fn next_signal(&mut self, deadline: Instant) -> Option<PageSignal> {
        match self.events.front() {
            Some((at, _)) if *at <= deadline => tokio::time::sleep_until(*at).await,
            Some(_) | None => {
                tokio::time::sleep_until(deadline).await;
                return None;
            }
        }
        let (_, kind) = self.events.pop_front()?;
        Some(PageSignal::Event(PageEvent { seq: 0, at_ms: 0.0, command: None, kind }))
    }

    fn take_logits(&mut self, _command: u32) -> Option<Vec<f32>> {
        None
    }

    async fn diagnose(&mut self) -> Diagnosis {
        (self.diagnosis)()
    }

    async fn close(self) -> Result<(), Trouble> {
        Ok(())
    }
}

fn timeouts() -> Timeouts {
    let (silence, attempt) = (Duration::from_millis(300), Duration::from_millis(900));
    Timeouts { silence, attempt, ..Timeouts::default() }
}

/// Waits for an event, as the client's steps do, and runs a command, as the engine's do.
async fn both(events: &[(u64, PageEventKind)], diagnosis: fn() -> Diagnosis) -> [Outcome; 2] {
    let page = ScriptedPage::new(events.to_vec(), diagnosis);
    let deadline = Instant::now() + timeouts().attempt;
    let mut waiting = Conversation::owning(page, timeouts(), deadline).await.unwrap();
    let until = Instant::now() + Duration::from_mins(10);
    let waited = loop {
        match waiting.next("request", until).await {
            Ok(event) => assert!(event.is_some(), "the wait is longer than the silence"),
            Err(failed) => break failed.into(),
        }
    };
    let mut page = ScriptedPage::new(events.to_vec(), diagnosis);
    let mut asking = Conversation::open(&mut page, timeouts()).await.unwrap();
    [waited, asking.ask(Action::Release).await.unwrap_err().into()]
}

fn panicked() -> PageEventKind {
    PageEventKind::Panicked { message: "late".to_owned() }
}

#[tokio::test]
async fn a_late_panic_is_reported_as_a_panic() {
    for outcome in both(&[(400, panicked())], || Diagnosis::Alive).await {
        assert_eq!(outcome, Outcome::Panicked { message: "late".to_owned() });
    }
    let gone = || Diagnosis::Crashed { message: "gone".to_owned() };
    for outcome in both(&[(400, panicked())], gone).await {
        assert_eq!(outcome, Outcome::Panicked { message: "late".to_owned() });
    }
}

#[tokio::test]
async fn silence_without_last_words_is_a_hang() {
    for outcome in both(&[(50, PageEventKind::Heartbeat)], || Diagnosis::Alive).await {
        assert!(
            matches!(outcome, Outcome::Hung { silent_for, .. } if silent_for >= timeouts().silence)
        );
    }
    for outcome in both(&[], || Diagnosis::Crashed { message: "gone".to_owned() }).await {
        assert_eq!(outcome, Outcome::BrowserCrashed { message: "gone".to_owned() });
    }
}

#[tokio::test]
async fn an_attempt_has_an_end_of_its_own() {
    let heartbeats: Vec<_> =
        (1..100).map(|index| (index * 100, PageEventKind::Heartbeat)).collect();
    let [waited, _] = both(&heartbeats, || Diagnosis::Alive).await;
    let (phase, limit) = ("attempt, in request".to_owned(), timeouts().attempt);
    assert_eq!(waited, Outcome::TimedOut { phase, limit });
}
