//! A simulated page: it carries out effects as a healthy page would, except where a test overrides
//! it. An auditor checks every step.

use std::collections::VecDeque;

use super::super::*;
use super::auditor::{Auditor, SECRET, right_token};
use crate::client::cache::{Stored, StoredShard};
use crate::client::fixtures::{device, variant};
use crate::protocol::client::*;
use crate::protocol::{FinishReason, GenerateRequest, LogitsWanted, Prompt, Sampling};

/// Tokens of every answer.
pub(super) const TOKENS: u32 = 5;

/// The effects whose answers a test may override.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Detect,
    Device,
    Probe,
    Inspect,
    Verify,
    Fetch,
    Load,
    Stop,
}

/// A run of a request, on a device or the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job {
    pub(super) generation: Generation,
    pub(super) request: u64,
    pub(super) next: u32,
    pub(super) is_server: bool,
}

pub(super) struct World {
    pub(super) client: Client,
    pub(super) auditor: Auditor,
    pub(super) now_ms: u64,
    pub(super) device: Capabilities,
    pub(super) stored: Stored,
    pub(super) job: Option<Job>,
    /// All effects so far.
    pub(super) effects: Vec<Effect>,
    registry: Vec<ModelVariant>,
    /// Answers that replace the usual ones, once each; `None` means no answer.
    overrides: Vec<(Ask, Option<LocalEvent>)>,
    queue: VecDeque<Effect>,
}

pub(super) fn config() -> Config {
    Config {
        start: Start::LocalOnly,
        registry: vec![variant("model-q4", 100_000_000, 0.1)],
        ..Config::default()
    }
}

pub(super) fn generate() -> GenerateRequest {
    GenerateRequest {
        prompt: Prompt::Text(format!("{SECRET} prompt")),
        max_tokens: TOKENS,
        sampling: Sampling::Greedy,
        ignore_stop: false,
        stop: Vec::new(),
        logits: LogitsWanted::None,
    }
}

pub(super) fn request(id: u64) -> Input {
    let request = Request {
        id,
        generate: generate(),
        prompt_length: 13,
        complexity: crate::client::router::Complexity::Auto,
        capability: None,
        feature: None,
    };
    Input::Request { request: Box::new(request) }
}

pub(super) fn local(generation: Generation, event: LocalEvent) -> Input {
    Input::Local { generation, event }
}

pub(super) fn end(tokens: u32) -> End {
    End { finish_reason: FinishReason::Length, prompt_tokens: 7, tokens }
}

/// Storage with every shard of a variant, none of them hashed yet.
pub(super) fn full(variant: &ModelVariant) -> Stored {
    let shards = variant.file.shards.iter().zip(0..).map(|(shard, index)| {
        let stored =
            StoredShard { bytes: shard.bytes, sha256: shard.sha256.clone(), is_verified: false };
        (index, stored)
    });
    Stored { versions: Some(variant.versions.clone()), shards: shards.collect() }
}

impl World {
    pub(super) fn new(config: Config) -> Self {
        Self {
            auditor: Auditor::new(&config),
            registry: config.registry.clone(),
            client: Client::new(config),
            now_ms: 0,
            device: device(),
            stored: Stored::default(),
            job: None,
            effects: Vec::new(),
            overrides: Vec::new(),
            queue: VecDeque::new(),
        }
    }

    pub(super) fn registry(&self) -> &[ModelVariant] {
        &self.registry
    }

    /// Replaces the next answer to `ask` with `event`.
    pub(super) fn once(&mut self, ask: Ask, event: LocalEvent) {
        self.overrides.push((ask, Some(event)));
    }

    /// Withholds the next answer to `ask`.
    pub(super) fn silent_once(&mut self, ask: Ask) {
        self.overrides.push((ask, None));
    }

    /// Passes one input, and the page's answers to all effects that follow.
    pub(super) fn input(&mut self, input: Input) {
        self.step(input);
        while let Some(effect) = self.queue.pop_front() {
            if let Some(input) = self.answer_of(&effect) {
                self.step(input);
            }
        }
    }

    /// Passes one input without answering its effects.
    #[expect(clippy::needless_pass_by_value, reason = "calls read better")]
    pub(super) fn step(&mut self, input: Input) -> Vec<Effect> {
        let effects = self.client.step(self.now_ms, input.clone());
        self.auditor.step(self.now_ms, &input, &effects);
        for effect in &effects {
            match *effect {
                Effect::Run { generation, request, ref begin, .. }
                | Effect::AskServer { generation, request, ref begin, .. } => {
                    let next = match begin {
                        Begin::Fresh | Begin::Replay => 0,
                        Begin::Continue { ids, .. } => ids.len() as u32,
                    };
                    let is_server = matches!(effect, Effect::AskServer { .. });
                    self.job = Some(Job { generation, request, next, is_server });
                }
                _ => {}
            }
        }
        self.effects.extend(effects.iter().cloned());
        self.queue.extend(effects.iter().cloned());
        effects
    }

    fn answer_of(&mut self, effect: &Effect) -> Option<Input> {
        let (ask, generation) = ask_of(effect)?;
        if let Some(at) = self.overrides.iter().position(|(overridden, _)| *overridden == ask) {
            let (_, event) = self.overrides.remove(at);
            return event.map(|event| local(generation, event));
        }
        self.healthy(effect)
    }

    /// The answer of a healthy page.
    pub(super) fn healthy(&self, effect: &Effect) -> Option<Input> {
        let (_, generation) = ask_of(effect)?;
        let event = match effect {
            Effect::Detect => {
                return Some(Input::Detected { capabilities: Box::new(self.device.clone()) });
            }
            Effect::CreateDevice { .. } => LocalEvent::DeviceCreated,
            Effect::Probe { .. } => LocalEvent::Probed { is_right: true },
            Effect::InspectStorage { .. } => LocalEvent::Inspected { stored: self.stored.clone() },
            Effect::VerifyShard { shard, .. } => {
                LocalEvent::ShardVerified { shard: *shard, is_intact: true }
            }
            Effect::FetchShard { shard, .. } => LocalEvent::ShardStored { shard: *shard },
            Effect::Load { variant, .. } => {
                LocalEvent::Loaded { versions: variant.versions.clone() }
            }
            Effect::StopRun { request, .. } => {
                LocalEvent::Finished { request: *request, end: end(0) }
            }
            _ => return None,
        };
        Some(local(generation, event))
    }

    /// Fills the storage, as after a first visit.
    pub(super) fn store_all(&mut self) {
        self.stored = full(&self.registry[0]);
    }

    /// Sends the next tokens of the current run.
    pub(super) fn tokens(&mut self, count: u32) {
        for _ in 0..count {
            let Some(job) = &mut self.job else {
                return self.auditor.violations.push("no request is running".into());
            };
            let token = right_token(job.next);
            job.next += 1;
            let Job { generation, request, is_server, .. } = *job;
            self.input(if is_server {
                Input::Server { generation, event: ServerEvent::Token { token } }
            } else {
                local(generation, LocalEvent::Token { request, token })
            });
        }
    }

    /// Sends all remaining tokens and the end of the run.
    pub(super) fn finish(&mut self) {
        let Some(job) = self.job else {
            return self.auditor.violations.push("no request is running".into());
        };
        self.tokens(TOKENS - job.next);
        let Job { generation, request, is_server, .. } = job;
        let end = end(TOKENS);
        self.input(if is_server {
            let event =
                ServerEvent::Answered { tokens: Vec::new(), end, variant: Some("large".into()) };
            Input::Server { generation, event }
        } else {
            local(generation, LocalEvent::Finished { request, end })
        });
        self.job = None;
    }

    /// Loses the current device.
    pub(super) fn lose(&mut self) {
        let generation = self.client.device;
        self.input(local(generation, LocalEvent::DeviceLost { reason: LossReason::Unknown }));
    }

    /// Lets the announced deadline expire.
    pub(super) fn expire(&mut self) {
        let Some(at_ms) = self.auditor.deadline_ms() else {
            return self.auditor.violations.push("no deadline is set".into());
        };
        self.now_ms = self.now_ms.max(at_ms);
        self.input(Input::Tick);
    }

    pub(super) fn answers(&self) -> Vec<&crate::client::output::Answer> {
        let effects = self.effects.iter();
        effects
            .filter_map(
                |effect| {
                    if let Effect::Answer { answer } = effect { Some(&**answer) } else { None }
                },
            )
            .collect()
    }

    pub(super) fn errors(&self) -> Vec<&crate::client::output::ClientError> {
        let effects = self.effects.iter();
        effects
            .filter_map(
                |effect| if let Effect::Fail { error } = effect { Some(&**error) } else { None },
            )
            .collect()
    }

    pub(super) fn records(&self) -> Vec<&crate::client::telemetry::TelemetryRecord> {
        let effects = self.effects.iter();
        effects
            .filter_map(|effect| {
                if let Effect::Telemetry { record } = effect { Some(&**record) } else { None }
            })
            .collect()
    }

    /// A report of transitions and important effects.
    pub(super) fn report(&self) -> String {
        let mut report = self.client.trace().to_string();
        for effect in &self.effects {
            let line = match effect {
                Effect::FetchShard { shard, from, place, .. } => {
                    format!("fetch shard {shard} from {from} into {place:?}")
                }
                Effect::VerifyShard { shard, .. } => format!("verify shard {shard}"),
                Effect::Discard { .. } => "discard".into(),
                Effect::AskConsent { bytes } => format!("ask consent for {bytes} bytes"),
                Effect::Run { generation, request, begin, .. } => {
                    format!("run {request} on g{generation}: {}", begun(begin))
                }
                Effect::AskServer { generation, request, begin, .. } => {
                    format!("ask server {request} as g{generation}: {}", begun(begin))
                }
                Effect::StopRun { request, .. } => format!("stop {request}"),
                Effect::Answer { answer } => format!(
                    "answer {}: {:?}, {} tokens, {} g{}, {} recoveries{}",
                    answer.request,
                    answer.finish_reason,
                    answer.tokens.len(),
                    answer.tier,
                    answer.generation,
                    answer.recoveries,
                    trail(&answer.trail)
                ),
                Effect::Fail { error } => format!(
                    "error {}: {}{}, {} tokens{}",
                    error.request,
                    error.kind,
                    error.reason.map(|reason| format!(" ({reason})")).unwrap_or_default(),
                    error.tokens_emitted,
                    trail(&error.trail)
                ),
                _ => continue,
            };
            report.push_str(&line);
            report.push('\n');
        }
        report
    }
}

fn begun(begin: &Begin) -> String {
    match begin {
        Begin::Fresh => "fresh".into(),
        Begin::Replay => "replay".into(),
        Begin::Continue { ids, .. } => format!("behind {} tokens", ids.len()),
    }
}

#[expect(clippy::format_push_string, reason = "speed does not matter in a test")]
fn trail(steps: &[FallbackStep]) -> String {
    let mut text = String::new();
    for FallbackStep { from, to, reason } in steps {
        text.push_str(&format!(", {from} to {to} for {reason}"));
    }
    text
}

fn ask_of(effect: &Effect) -> Option<(Ask, Generation)> {
    Some(match *effect {
        Effect::Detect => (Ask::Detect, 0),
        Effect::CreateDevice { generation, .. } => (Ask::Device, generation),
        Effect::Probe { generation, .. } => (Ask::Probe, generation),
        Effect::InspectStorage { generation, .. } => (Ask::Inspect, generation),
        Effect::VerifyShard { generation, .. } => (Ask::Verify, generation),
        Effect::FetchShard { generation, .. } => (Ask::Fetch, generation),
        Effect::Load { generation, .. } => (Ask::Load, generation),
        Effect::StopRun { generation, .. } => (Ask::Stop, generation),
        _ => return None,
    })
}
