//! A request in flight: what was asked, what the user has seen, and who is at it.

use crate::protocol::client::{
    Begin, ClientErrorKind, FallbackStep, Generation, Reason, Request, Tier, Token,
};

/// The one request that is being answered.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    pub(super) request: Box<Request>,
    pub(super) since_ms: u64,
    /// When it ends, whatever happens.
    pub(super) deadline_ms: u64,
    pub(super) place: Place,
    /// When the server must give its next sign of life.
    pub(super) server_deadline_ms: Option<u64>,
    /// What the user has seen.
    pub(super) seen: Vec<Token>,
    /// Who has said it: tiers and variants, in order.
    origins: Vec<Origin>,
    pub(super) first_token_ms: Option<u64>,
    pub(super) trail: Vec<FallbackStep>,
    /// It ran here, and its device went.
    pub(super) is_interrupted: bool,
    pub(super) recoveries: u32,
    /// Why the last recovery was, and how many milliseconds it took.
    pub(super) recovery: Option<(Reason, u64)>,
    pub(super) server_attempts: u32,
    /// Why the server did not answer.
    pub(super) server_reason: Option<Reason>,
    /// Why the local model can't answer it.
    pub(super) refusal: Option<Reason>,
}

/// Where a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere: it waits.
    Waiting,
    /// On the device.
    Local(Generation),
    /// At the server.
    Server(Generation),
}

/// Who has said a token.
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

    /// Its device is gone.
    pub(super) fn interrupt_local(&mut self) {
        if matches!(self.place, Place::Local(_)) {
            self.place = Place::Waiting;
            self.is_interrupted = true;
        }
    }

    /// Where a run by `next` begins. Only who has said everything so far can say it again.
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

    /// Holds a token against what was seen: `true` for a new one, `false` for one that has come
    /// again as it was.
    pub(super) fn check(&self, token: &Token) -> Result<bool, ClientErrorKind> {
        match self.seen.get(token.index as usize) {
            Some(seen) if seen == token => Ok(false),
            Some(_) => Err(ClientErrorKind::ReplayDiverged),
            None if token.index as usize == self.seen.len() => Ok(true),
            None => Err(ClientErrorKind::TokenMissing),
        }
    }

    /// The user sees a new one.
    pub(super) fn see(&mut self, token: Token, origin: Origin, now_ms: u64) {
        self.first_token_ms.get_or_insert(now_ms.saturating_sub(self.since_ms));
        if self.origins.last() != Some(&origin) {
            self.origins.push(origin);
        }
        self.seen.push(token);
    }

    /// Holds the end of a run against what was seen.
    pub(super) fn check_end(&self, tokens: u32) -> Result<(), ClientErrorKind> {
        match (tokens as usize).cmp(&self.seen.len()) {
            std::cmp::Ordering::Less => Err(ClientErrorKind::ReplayDiverged),
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(ClientErrorKind::TokenMissing),
        }
    }
}
