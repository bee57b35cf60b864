//! The request in flight: its prompt, the tokens that the user has seen, and where it runs.

use crate::protocol::client::{
    Begin, ClientErrorKind, FallbackStep, Generation, Reason, Request, Tier, Token,
};

/// The request in flight; there is at most one.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    pub(super) request: Box<Request>,
    pub(super) since_ms: u64,
    /// The deadline of the whole request.
    pub(super) deadline_ms: u64,
    pub(super) place: Place,
    /// The deadline of the server's next event.
    pub(super) server_deadline_ms: Option<u64>,
    /// The tokens that the user has seen.
    pub(super) seen: Vec<Token>,
    /// The tiers and variants that generated them, in order.
    origins: Vec<Origin>,
    pub(super) first_token_ms: Option<u64>,
    pub(super) trail: Vec<FallbackStep>,
    /// It ran on a device that was lost.
    pub(super) is_interrupted: bool,
    pub(super) recoveries: u32,
    /// The reason of the last recovery, and its duration in milliseconds.
    pub(super) recovery: Option<(Reason, u64)>,
    pub(super) server_attempts: u32,
    /// Why the server failed.
    pub(super) server_reason: Option<Reason>,
    /// Why the local model cannot answer it.
    pub(super) refusal: Option<Reason>,
}

/// Where a request runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere yet.
    Waiting,
    /// On the device of this generation.
    Local(Generation),
    /// On the server, in the attempt of this generation.
    Server(Generation),
}

/// The tier and variant that generated a token.
pub(super) type Origin = (Tier, Option<String>);

impl Flight {
    pub(super) fn new(
        request: Box<Request>,
        now_ms: u64,
        limit_ms: u64,
        trail: Vec<FallbackStep>,
    ) -> Self {
        Self {
            request,
            since_ms: now_ms,
            deadline_ms: now_ms.saturating_add(limit_ms),
            place: Place::Waiting,
            server_deadline_ms: None,
            seen: Vec::new(),
            origins: Vec::new(),
            first_token_ms: None,
            trail,
            is_interrupted: false,
            recoveries: 0,
            recovery: None,
            server_attempts: 0,
            server_reason: None,
            refusal: None,
        }
    }

    pub(super) fn is_at_server(&self, generation: Generation) -> bool {
        self.place == Place::Server(generation)
    }

    /// Takes the request off a lost device.
    pub(super) fn interrupt_local(&mut self) {
        if matches!(self.place, Place::Local(_)) {
            self.place = Place::Waiting;
            self.is_interrupted = true;
        }
    }

    /// Where a run by `next` begins. It may replay only if it generated every token so far.
    pub(super) fn begin(&self, next: &Origin) -> Begin {
        match self.origins.as_slice() {
            [] => Begin::Fresh,
            [only] if only == next && next.0 != Tier::Server => Begin::Replay,
            [.., last] => Begin::Continue {
                variant: last.1.clone(),
                ids: self.seen.iter().map(|token| token.id).collect(),
                text: self.text(),
            },
        }
    }

    pub(super) fn text(&self) -> String {
        self.seen.iter().map(|token| token.text.as_str()).collect()
    }

    /// Compares a token with what the user has seen: `true` if it is new, `false` if it is repeated
    /// without a difference.
    pub(super) fn check(&self, token: &Token) -> Result<bool, ClientErrorKind> {
        match self.seen.get(token.index as usize) {
            Some(seen) if seen == token => Ok(false),
            Some(_) => Err(ClientErrorKind::ReplayDiverged),
            None if token.index as usize == self.seen.len() => Ok(true),
            None => Err(ClientErrorKind::TokenMissing),
        }
    }

    /// Records a new token that the user sees.
    pub(super) fn record_token(&mut self, token: Token, origin: Origin, now_ms: u64) {
        self.first_token_ms.get_or_insert(now_ms.saturating_sub(self.since_ms));
        if self.origins.last() != Some(&origin) {
            self.origins.push(origin);
        }
        self.seen.push(token);
    }

    /// Compares the number of a run's tokens with what the user has seen.
    pub(super) fn check_end(&self, tokens: u32) -> Result<(), ClientErrorKind> {
        match (tokens as usize).cmp(&self.seen.len()) {
            std::cmp::Ordering::Less => Err(ClientErrorKind::ReplayDiverged),
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(ClientErrorKind::TokenMissing),
        }
    }
}
