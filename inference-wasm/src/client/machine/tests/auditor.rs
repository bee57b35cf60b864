//! The auditor: checks the invariants of the client at every step, from its inputs and effects
//! alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::client::breaker::BreakerLimits;
use crate::client::cache::Stored;
use crate::protocol::EngineErrorKind;
use crate::protocol::client::*;

/// A text in every prompt and token, which must never appear in telemetry.
pub(super) const SECRET: &str = "SECRET";

/// The token that a working engine generates at an index: the same on every tier.
pub(super) fn right_token(index: u32) -> Token {
    Token { index, id: 100 + index, text: format!("{SECRET}{index} ") }
}

#[derive(Default)]
struct Seen {
    since_ms: u64,
    tokens: Vec<u32>,
    text: String,
    /// The generation that was last asked.
    asked: Option<Generation>,
    is_ended: bool,
}

/// Checks every step and collects violations.
#[derive(Default)]
pub(super) struct Auditor {
    request_ms: u64,
    limits: BreakerLimits,
    state: Option<State>,
    tier: Option<Tier>,
    generation: Generation,
    /// The latest device's generation.
    device: Generation,
    requests: BTreeMap<u64, Seen>,
    deadline_ms: Option<u64>,
    variant: Option<ModelVariant>,
    /// Shards that were verified in this generation.
    right_shards: BTreeSet<u32>,
    is_skewed: bool,
    /// Storage was asked, and has not answered.
    is_inspecting: bool,
    /// Times of failures of each tier.
    failures: BTreeMap<Tier, Vec<u64>>,
    registry: Vec<ModelVariant>,
    pub(super) violations: Vec<String>,
}

impl Auditor {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            request_ms: config.deadlines.request_ms,
            limits: config.breaker,
            registry: config.registry.clone(),
            ..Self::default()
        }
    }

    pub(super) fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.violations.push(what());
        }
    }

    pub(super) fn step(&mut self, now_ms: u64, input: &Input, effects: &[Effect]) {
        match input {
            Input::Request { request } => {
                let seen = self.requests.entry(request.id).or_default();
                if seen.asked.is_none() && !seen.is_ended && seen.tokens.is_empty() {
                    seen.since_ms = now_ms;
                }
            }
            Input::Local { generation, event } if *generation == self.device => {
                self.shards(event);
            }
            _ => {}
        }
        for effect in effects {
            self.effect(now_ms, input, effect);
        }
        let request_ms = self.request_ms;
        let open = self.requests.iter().find(|(_, seen)| !seen.is_ended);
        if let Some((id, seen)) = open {
            let (id, limit) = (*id, seen.since_ms + request_ms);
            let deadline_ms = self.deadline_ms;
            self.expect(now_ms < limit, || format!("request {id} is open after its deadline"));
            self.expect(deadline_ms.is_some_and(|at| at <= limit), || {
                format!("request {id} is open without a deadline")
            });
        }
    }

    fn shards(&mut self, event: &LocalEvent) {
        match event {
            LocalEvent::Inspected { stored } if self.is_inspecting => self.inspected(stored),
            LocalEvent::ShardVerified { shard, is_intact: true }
            | LocalEvent::ShardStored { shard } => {
                self.right_shards.insert(*shard);
            }
            _ => {}
        }
    }

    fn inspected(&mut self, stored: &Stored) {
        let Some(variant) = &self.variant else { return };
        self.is_inspecting = false;
        self.is_skewed =
            !stored.shards.is_empty() && stored.versions.as_ref() != Some(&variant.versions);
        self.right_shards.clear();
        if !self.is_skewed {
            let right = stored.shards.iter().filter(|(index, shard)| {
                let manifest = &variant.file.shards[**index as usize];
                shard.is_verified
                    && shard.bytes == manifest.bytes
                    && shard.sha256 == manifest.sha256
            });
            self.right_shards = right.map(|(index, _)| *index).collect();
        }
    }

    fn effect(&mut self, now_ms: u64, input: &Input, effect: &Effect) {
        if let Effect::Probe { generation, .. }
        | Effect::InspectStorage { generation, .. }
        | Effect::VerifyShard { generation, .. }
        | Effect::FetchShard { generation, .. }
        | Effect::Load { generation, .. }
        | Effect::Run { generation, .. }
        | Effect::StopRun { generation, .. }
        | Effect::Abandon { generation } = effect
        {
            let (generation, device) = (*generation, self.device);
            self.expect(generation == device, || {
                format!("{effect:?}: expected generation {device}, found {generation}")
            });
        }
        match effect {
            Effect::Transition { transition } => self.transition(now_ms, input, transition),
            Effect::CreateDevice { tier, generation } => {
                self.newer(*generation);
                self.device = *generation;
                let known = self.tier;
                self.expect(known == Some(*tier), || {
                    format!("a device for {tier}, but the client is on {known:?}")
                });
                self.breaker(now_ms, *tier);
                self.right_shards.clear();
            }
            Effect::InspectStorage { variant, .. } => {
                self.is_inspecting = true;
                self.is_skewed = false;
                self.right_shards.clear();
                self.variant = self.registry.iter().find(|known| known.id == *variant).cloned();
            }
            Effect::Discard { .. } => self.is_skewed = false,
            Effect::Load { variant, .. } => {
                let all: BTreeSet<u32> = (0..variant.file.shards.len() as u32).collect();
                let right = self.right_shards.clone();
                self.expect(right == all, || {
                    format!("a model is loaded with only shards {right:?} verified")
                });
                let is_skewed = self.is_skewed;
                self.expect(!is_skewed, || "weights of another version are loaded".into());
            }
            Effect::Run { generation, request, .. } => self.asked(*request, *generation),
            Effect::AskServer { generation, request, .. } => {
                self.newer(*generation);
                self.asked(*request, *generation);
            }
            Effect::EmitToken { request, token } => self.token(input, *request, token),
            Effect::Answer { answer } => {
                let seen = self.requests.entry(answer.request).or_default();
                let (tokens, text) = (seen.tokens.clone(), seen.text.clone());
                self.expect(answer.tokens == tokens && answer.text == text, || {
                    format!(
                        "the answer {:?} differs from the tokens shown: {tokens:?}",
                        answer.tokens
                    )
                });
                self.expect(answer.usage.completion_tokens as usize == tokens.len(), || {
                    "the count of tokens is wrong".into()
                });
                if answer.tier != Tier::Server {
                    self.failures.remove(&answer.tier);
                }
                self.end(answer.request);
            }
            Effect::Fail { error }
                if error.kind == crate::client::output::ClientErrorKind::Busy =>
            {
                self.requests.entry(error.request).or_default().is_ended = true;
            }
            Effect::Fail { error } => self.end(error.request),
            Effect::Telemetry { record } => {
                let json = serde_json::to_string(record).unwrap();
                self.expect(!json.contains(SECRET), || format!("content in telemetry: {json}"));
            }
            Effect::SetDeadline { at_ms } => self.deadline_ms = *at_ms,
            Effect::Detect
            | Effect::Probe { .. }
            | Effect::PersistStorage
            | Effect::VerifyShard { .. }
            | Effect::FetchShard { .. }
            | Effect::AskConsent { .. }
            | Effect::Progress { .. }
            | Effect::StopRun { .. } => {}
            Effect::Abandon { generation } | Effect::StopServer { generation } => {
                for seen in self.requests.values_mut() {
                    seen.asked = seen.asked.filter(|asked| asked != generation);
                }
            }
        }
    }

    fn newer(&mut self, generation: Generation) {
        let last = self.generation;
        self.expect(generation > last, || format!("generation {generation} after {last}"));
        self.generation = generation;
    }

    fn asked(&mut self, request: u64, generation: Generation) {
        self.requests.entry(request).or_default().asked = Some(generation);
    }

    fn token(&mut self, input: &Input, request: u64, token: &Token) {
        let seen = self.requests.entry(request).or_default();
        let (asked, count, is_ended) = (seen.asked, seen.tokens.len() as u32, seen.is_ended);
        seen.tokens.push(token.id);
        seen.text.push_str(&token.text);
        self.expect(!is_ended, || format!("a token of request {request} after its end"));
        self.expect(token.index == count, || {
            format!("token {} is shown, expected {count}", token.index)
        });
        self.expect(*token == right_token(token.index), || {
            format!("a wrong token is shown: {token:?}")
        });
        let from = match input {
            Input::Local { generation, event: LocalEvent::Token { .. } }
            | Input::Server {
                generation,
                event: ServerEvent::Token { .. } | ServerEvent::Answered { .. },
            } => Some(*generation),
            _ => None,
        };
        self.expect(from.is_some() && from == asked, || {
            format!("a token of generation {from:?} is shown, but {asked:?} was asked")
        });
    }

    fn end(&mut self, request: u64) {
        let seen = self.requests.entry(request).or_default();
        let is_second = std::mem::replace(&mut seen.is_ended, true);
        self.expect(!is_second, || format!("request {request} ends twice"));
    }

    fn transition(&mut self, now_ms: u64, input: &Input, transition: &Transition) {
        let Transition { from, to, tier, reason, .. } = *transition;
        let known = self.state.unwrap_or(State::New);
        self.expect(from == known, || {
            format!("a transition from {from}, but the client is in {known}")
        });
        self.state = Some(to);
        self.is_inspecting &= reason != Reason::StorageTimeout;
        let before = self.tier.replace(tier).unwrap_or(Tier::Webgpu);
        let is_step = before.next() == Some(tier);
        let is_sound = if tier < before {
            reason.is_upward()
        } else if tier == before {
            true
        } else if reason.is_decision() {
            tier == Tier::Server
        } else {
            is_step && reason.is_fallback()
        };
        self.expect(is_sound, || format!("from {before} to {tier} for {reason}"));
        let is_named = !reason.is_fault() || is_cause(input, reason);
        self.expect(is_named, || format!("{reason} is recorded after {input:?}"));
        if tier > before && reason.is_fault() && from != State::Choose {
            self.failures.entry(before).or_default().push(now_ms);
        }
    }

    /// Checks that a tier with an open breaker is not tried before its cooldown ends.
    fn breaker(&mut self, now_ms: u64, tier: Tier) {
        let BreakerLimits { failures, window_ms, cooldown_ms, .. } = self.limits;
        let times = self.failures.get(&tier).map(Vec::as_slice).unwrap_or_default();
        let recent = times.iter().rev().take(failures as usize);
        let (count, first) =
            recent.clone().fold((0, now_ms), |(count, first), at| (count + 1, first.min(*at)));
        let last = times.last().copied().unwrap_or(0);
        let is_open = count >= failures && last - first < window_ms && now_ms - last < cooldown_ms;
        self.expect(!is_open, || format!("{tier} is tried again after {count} failures"));
    }

    /// Ids of requests that have not ended.
    pub(super) fn open(&self) -> Vec<u64> {
        self.requests.iter().filter(|(_, seen)| !seen.is_ended).map(|(id, _)| *id).collect()
    }

    pub(super) fn deadline_ms(&self) -> Option<u64> {
        self.deadline_ms
    }
}

/// Whether an input can cause a reason. A deadline can expire with any input.
fn is_cause(input: &Input, reason: Reason) -> bool {
    if matches!(reason, Reason::Hung | Reason::LoadTimeout | Reason::AdapterNull) {
        // The capabilities may report that there is no adapter, whenever a tier is chosen.
        return true;
    }
    let Input::Local { event, .. } = input else { return false };
    match event {
        LocalEvent::DeviceFailed { failure } => Reason::from(*failure) == reason,
        LocalEvent::Probed { is_right: false } => reason == Reason::ProbeFailed,
        LocalEvent::DeviceLost { .. } => {
            matches!(reason, Reason::DeviceLost | Reason::DeviceLostAgain)
        }
        LocalEvent::Crashed => reason == Reason::RuntimeCrash,
        LocalEvent::Loaded { .. } => reason == Reason::VersionSkew,
        LocalEvent::LoadFailed { kind } | LocalEvent::Failed { kind, .. } => match kind {
            EngineErrorKind::DeviceLost => {
                matches!(reason, Reason::DeviceLost | Reason::DeviceLostAgain)
            }
            EngineErrorKind::OutOfMemory => reason == Reason::OutOfMemory,
            EngineErrorKind::GpuError => reason == Reason::GpuError,
            _ => {
                matches!(reason, Reason::DeviceRejected | Reason::LoadFailed | Reason::RuntimeCrash)
            }
        },
        _ => false,
    }
}
