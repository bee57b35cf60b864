//! What a page of the client has reported in one visit, in order, with everything in it that no
//! scenario allows.
//!
//! Pure: events in. What the scenario expects is compared in [`super::judge`].

use inference_wasm::client::machine::{Effect, State, Token, Transition};
use inference_wasm::client::output::{Answer, ClientError};
use inference_wasm::client::telemetry::TelemetryRecord;
use inference_wasm::protocol::{ClientRun, PageEventKind};

/// The number of characters in a row that no record may share with a prompt or an answer.
const LEAK: usize = 8;

/// The events of one visit.
#[derive(Debug, Default)]
pub(super) struct Visit {
    /// The client's transitions, in order.
    pub(super) transitions: Vec<Transition>,
    /// The requests, in the order in which they were made.
    pub(super) requests: Vec<Asked>,
    /// Shims that have taken effect: name and detail.
    pub(super) injected: Vec<(String, String)>,
    /// Breaches of what holds in every scenario, ready to print.
    pub(super) breaches: Vec<String>,
    /// The request whose record is still to come.
    unrecorded: Option<usize>,
}

/// A request, and everything that followed.
#[derive(Debug)]
pub(super) struct Asked {
    /// Its id.
    pub(super) id: u64,
    /// Texts that no record may contain: the prompt.
    pub(super) secrets: Vec<String>,
    /// The tokens that the user was shown.
    pub(super) tokens: Vec<Token>,
    /// Its end.
    pub(super) end: Option<Ended>,
    /// Its telemetry record.
    pub(super) record: Option<TelemetryRecord>,
    /// The runs of engines for it.
    pub(super) runs: Vec<ClientRun>,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ended {
    /// With an answer.
    Answer(Box<Answer>),
    /// With an error.
    Failed(Box<ClientError>),
}

impl Visit {
    /// The client's state.
    pub(super) fn state(&self) -> State {
        self.transitions.last().map_or(State::New, |transition| transition.to)
    }

    /// How often a state was entered, not counting the first `after` transitions.
    pub(super) fn entered(&self, state: State, after: usize) -> usize {
        let since = self.transitions.iter().skip(after);
        since.filter(|transition| transition.to == state).count()
    }

    /// Adds a request that is about to be made.
    pub(super) fn ask(&mut self, id: u64, secrets: Vec<String>) {
        self.requests.push(Asked {
            id,
            secrets,
            tokens: Vec::new(),
            end: None,
            record: None,
            runs: Vec::new(),
        });
    }

    /// A request, by its id.
    pub(super) fn asked(&self, id: u64) -> Option<&Asked> {
        self.requests.iter().find(|asked| asked.id == id)
    }

    /// A request has ended, its record has come, and the client no longer works on it.
    pub(super) fn is_over(&self, id: u64) -> bool {
        let is_at_rest = !matches!(self.state(), State::Running | State::Stop);
        let has_record = |asked: &Asked| asked.end.is_some() && asked.record.is_some();
        is_at_rest && self.asked(id).is_some_and(has_record)
    }

    /// Takes an event.
    pub(super) fn take(&mut self, kind: PageEventKind) {
        match kind {
            PageEventKind::Client { effect } => self.effect(*effect),
            PageEventKind::ClientRan { run } => match self.index(run.request) {
                Some(index) => self.requests[index].runs.push(*run),
                None => self.breach(format!("request {} ran, but was never made", run.request)),
            },
            PageEventKind::Injected { shim, detail } => self.injected.push((shim, detail)),
            PageEventKind::Ready { .. }
            | PageEventKind::Heartbeat
            | PageEventKind::Phase { .. }
            | PageEventKind::LoadProgress { .. }
            | PageEventKind::OpsProgress { .. }
            | PageEventKind::Token { .. }
            | PageEventKind::Finished { .. }
            | PageEventKind::Failed { .. }
            | PageEventKind::DeviceLost { .. }
            | PageEventKind::Panicked { .. }
            | PageEventKind::PageError { .. }
            | PageEventKind::UnhandledRejection { .. } => {}
        }
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Transition { transition } => {
                let last = self.transitions.last().map_or(0, |last| last.generation);
                if transition.generation < last {
                    self.breach(format!(
                        "generation {} came after generation {last}",
                        transition.generation
                    ));
                }
                self.transitions.push(transition);
            }
            Effect::EmitToken { request, token } => self.token(request, token),
            Effect::Answer { answer } => self.end(answer.request, Ended::Answer(answer)),
            Effect::Fail { error } => self.end(error.request, Ended::Failed(error)),
            Effect::Telemetry { record } => self.record(*record),
            _ => {}
        }
    }

    fn token(&mut self, request: u64, token: Token) {
        let Some(index) = self.index(request) else {
            return self.breach(format!("a token of request {request}, which was never made"));
        };
        let asked = &mut self.requests[index];
        let expected = asked.tokens.len() as u32;
        let (found, is_over) = (token.index, asked.end.is_some());
        asked.tokens.push(token);
        if found != expected {
            self.breach(format!(
                "request {request}: token {found} was shown where token {expected} was due"
            ));
        }
        if is_over {
            self.breach(format!("request {request}: a token was shown after its end"));
        }
    }

    fn end(&mut self, request: u64, end: Ended) {
        let Some(index) = self.index(request) else {
            return self.breach(format!("the end of request {request}, which was never made"));
        };
        let asked = &mut self.requests[index];
        if asked.end.is_some() {
            return self.breach(format!("request {request} has ended twice"));
        }
        let shown: Vec<u32> = asked.tokens.iter().map(|token| token.id).collect();
        let text: String = asked.tokens.iter().map(|token| token.text.as_str()).collect();
        let wrong = match &end {
            Ended::Answer(answer) if answer.tokens != shown => Some(format!(
                "request {request}: the answer has tokens {:?}, shown were {shown:?}",
                answer.tokens
            )),
            Ended::Answer(answer) if answer.text != text => Some(format!(
                "request {request}: the answer has text {:?}, shown was {text:?}",
                answer.text
            )),
            Ended::Failed(error) if error.tokens_emitted as usize != shown.len() => Some(format!(
                "request {request}: its error reports {} tokens shown, {} were",
                error.tokens_emitted,
                shown.len()
            )),
            Ended::Answer(_) | Ended::Failed(_) => None,
        };
        asked.end = Some(end);
        self.unrecorded = Some(index);
        if let Some(wrong) = wrong {
            self.breach(wrong);
        }
    }

    fn record(&mut self, record: TelemetryRecord) {
        let Some(index) = self.unrecorded.take() else {
            return self.breach("a record of a request that has not ended".to_owned());
        };
        let asked = &self.requests[index];
        let answer: String = asked.tokens.iter().map(|token| token.text.as_str()).collect();
        let texts = asked.secrets.iter().chain([&answer]);
        let json = serde_json::json!(record).to_string();
        let id = asked.id;
        let leaked = { texts }.find_map(|text| leak(&json, text));
        if let Some(leaked) = leaked {
            self.breach(format!("request {id}: its record contains {leaked:?}"));
        }
        self.requests[index].record = Some(record);
    }

    fn index(&self, request: u64) -> Option<usize> {
        self.requests.iter().position(|asked| asked.id == request)
    }

    fn breach(&mut self, message: String) {
        self.breaches.push(message);
    }
}

/// A piece of a text that stands in a record; the whole text if it is that short.
fn leak(json: &str, text: &str) -> Option<String> {
    let text: Vec<char> = text.trim().chars().collect();
    let pieces = text.windows(LEAK.min(text.len().max(1)));
    // A shorter text may be in any record by chance.
    let pieces = pieces.filter(|piece| piece.len() >= 4).map(String::from_iter);
    pieces.into_iter().find(|piece: &String| {
        // The piece as it is escaped in JSON.
        let escaped = serde_json::json!(piece).to_string();
        json.contains(escaped.trim_matches('"'))
    })
}

#[cfg(test)]
pub(super) mod tests {
    use inference_wasm::client::machine::Reason;
    use inference_wasm::client::output::{AnswerTimings, ClientErrorKind, Usage};
    use inference_wasm::client::tier::Tier;
    use inference_wasm::protocol::FinishReason;

    use super::*;

    pub(in super::super) fn client(effect: Effect) -> PageEventKind {
        PageEventKind::Client { effect: Box::new(effect) }
    }

    pub(in super::super) fn transition(from: State, to: State, reason: Reason) -> PageEventKind {
        let (at_ms, tier, generation) = (7, Tier::Webgpu, 1);
        client(Effect::Transition {
            transition: Transition { at_ms, from, to, tier, generation, reason },
        })
    }

    pub(in super::super) fn token(request: u64, index: u32, id: u32, text: &str) -> PageEventKind {
        let token = Token { index, id, text: text.to_owned() };
        client(Effect::EmitToken { request, token })
    }

    pub(in super::super) fn answer(request: u64, tokens: &[u32], text: &str) -> PageEventKind {
        client(Effect::Answer {
            answer: Box::new(Answer {
                request,
                text: text.to_owned(),
                tokens: tokens.to_vec(),
                finish_reason: FinishReason::Stop,
                usage: Usage::new(3, tokens.len() as u32),
                timings: AnswerTimings::default(),
                tier: Tier::Webgpu,
                variant: Some("m".to_owned()),
                versions: None,
                generation: 1,
                recoveries: 0,
                trail: Vec::new(),
            }),
        })
    }

    pub(in super::super) fn record(model: &str) -> PageEventKind {
        let json = format!(
            r#"{{"version":1,"model_id":"{model}","prompt_tokens":3,"completion_tokens":2,
            "latency_ms":1,"first_token_ms":1,"success":true,"finish_reason":"stop","error":null,
            "tier":"webgpu","trail":[],"recoveries":0,"recovery_reason":null,"recovery_ms":null,
            "stale_events":0,"cache_hit_rate":null,"fetched_bytes":0,"device_tier":null,
            "form":null,"cohort":null}}"#
        );
        client(Effect::Telemetry { record: serde_json::from_str(&json).unwrap() })
    }

    fn breaches(events: Vec<PageEventKind>) -> Vec<String> {
        let mut visit = Visit::default();
        visit.ask(1, vec!["Fix the caption: teh film".to_owned()]);
        for event in events {
            visit.take(event);
        }
        visit.breaches
    }

    fn good() -> Vec<PageEventKind> {
        vec![
            transition(State::Ready, State::Running, Reason::Requested),
            token(1, 0, 5, "The "),
            token(1, 1, 6, "film"),
            answer(1, &[5, 6], "The film"),
            record("m"),
            transition(State::Running, State::Ready, Reason::Answered),
        ]
    }

    #[test]
    fn a_request_as_it_should_be_has_no_breach() {
        assert_eq!(breaches(good()), [""; 0]);
        let mut visit = Visit::default();
        visit.ask(1, Vec::new());
        for (event, is_over) in good().into_iter().zip([false, false, false, false, false, true]) {
            visit.take(event);
            assert_eq!(visit.is_over(1), is_over, "{:?}", visit.state());
        }
        assert_eq!((visit.entered(State::Ready, 0), visit.entered(State::Running, 1)), (1, 0));
    }

    #[test]
    fn every_breach_is_reported() {
        let failed = |tokens_emitted| {
            let (kind, reason, tier) = (ClientErrorKind::NoTierLeft, None, None);
            let error =
                ClientError { request: 1, kind, reason, tier, tokens_emitted, trail: Vec::new() };
            client(Effect::Fail { error: Box::new(error) })
        };
        let with = |at: usize, event: PageEventKind| {
            let mut events = good();
            events.insert(at, event);
            events
        };
        let without = |at: usize| {
            let mut events = good();
            events.remove(at);
            events
        };
        let instead = |at: usize, event: PageEventKind| {
            let mut events = without(at);
            events.insert(at, event);
            events
        };
        for (name, events, message) in [
            ("a doubled token", with(2, token(1, 0, 5, "The ")), "token 0 was shown where token 1"),
            ("a lost token", without(1), "token 1 was shown where token 0"),
            ("a late token", with(4, token(1, 2, 7, "!")), "shown after its end"),
            ("two ends", with(5, failed(2)), "has ended twice"),
            ("another answer", instead(3, answer(1, &[5, 7], "The film")), "has tokens [5, 7]"),
            ("another text", instead(3, answer(1, &[5, 6], "The Film")), "has text \"The Film\""),
            ("a wrong count", instead(3, failed(3)), "reports 3 tokens shown, 2 were"),
            ("a stranger's token", with(0, token(9, 0, 5, "")), "request 9, which was never made"),
            ("a stranger's end", with(0, answer(9, &[], "")), "request 9, which was never made"),
            ("a record too many", with(5, record("m")), "that has not ended"),
            ("the prompt in a record", instead(4, record("caption: teh")), "its record contains "),
            ("the answer in a record", instead(4, record("The film")), "its record contains "),
        ] {
            let breaches = breaches(events);
            assert!(breaches.iter().any(|breach| breach.contains(message)), "{name}: {breaches:?}");
        }
        let mut old = good();
        if let Some(PageEventKind::Client { effect }) = old.last_mut()
            && let Effect::Transition { transition } = &mut **effect
        {
            transition.generation = 0;
        }
        assert_eq!(breaches(old), ["generation 0 came after generation 1"]);
    }
}
