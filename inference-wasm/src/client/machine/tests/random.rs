//! Random sequences of inputs and faults: every request ends by its deadline, and the auditor finds
//! no violation.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::auditor::right_token;
use super::world::{Job, TOKENS, World, config, end, full, local, request};
use crate::client::cache::{StorageTrouble, Stored};
use crate::client::capability::Connection;
use crate::client::fixtures::variant;
use crate::protocol::EngineErrorKind;
use crate::protocol::client::*;

const KINDS: [EngineErrorKind; 8] = [
    EngineErrorKind::DeviceLost,
    EngineErrorKind::OutOfMemory,
    EngineErrorKind::GpuError,
    EngineErrorKind::ContextOverflow,
    EngineErrorKind::InvalidRequest,
    EngineErrorKind::InvalidModel,
    EngineErrorKind::ShardCorrupt,
    EngineErrorKind::BackendUnavailable,
];

/// A page with arbitrary answers at arbitrary times.
pub(super) struct Chaos {
    world: World,
    /// Effects that are not answered yet.
    asked: Vec<Effect>,
    /// Every run so far.
    jobs: Vec<Job>,
    requests: u64,
}

impl Chaos {
    pub(super) fn new(shape: u8, config: Config) -> Self {
        let mut world = World::new(config);
        let variant = world.registry()[0].clone();
        if shape & 1 != 0 {
            world.device.report.webgpu.adapter = None;
        }
        if shape & 2 != 0 {
            world.device.report.webgl2.present = false;
        }
        if shape & 4 != 0 {
            world.device.connection = Connection { metered: Some(true), ..Connection::default() };
        }
        world.stored = match shape >> 3 & 3 {
            0 => Stored::default(),
            1 => full(&variant),
            2 => {
                let mut part = full(&variant);
                part.shards.remove(&1);
                part.shards.values_mut().for_each(|shard| shard.is_verified = shard.bytes > 100);
                part
            }
            _ => {
                let mut stale = full(&variant);
                stale.versions.as_mut().unwrap().prompt_template = "0".into();
                stale
            }
        };
        Self { world, asked: Vec::new(), jobs: Vec::new(), requests: 0 }
    }

    fn step(&mut self, input: Input) {
        for effect in self.world.step(input) {
            match effect {
                Effect::Run { .. } | Effect::AskServer { .. } => {
                    self.jobs.extend(self.world.job);
                }
                Effect::Transition { .. }
                | Effect::EmitToken { .. }
                | Effect::Telemetry { .. }
                | Effect::SetDeadline { .. } => {}
                effect => self.asked.push(effect),
            }
        }
    }

    /// Makes one move, chosen by two bytes.
    pub(super) fn play(&mut self, what: u8, how: u8) {
        match what % 16 {
            0..=4 => self.answer(how),
            5..=8 => self.work(how),
            9 => self.pass(how),
            10 => {
                self.requests += 1;
                self.step(request(self.requests));
            }
            11 => self.step(Input::Cancel { request: self.requests }),
            12 => self.lose(how),
            13 => self.decide(how),
            14 => self.step(match how % 4 {
                0 => Input::Start,
                1 => Input::Idle,
                2 => Input::Retry,
                _ => Input::Tick,
            }),
            _ => self.step(Input::Consent { given: how & 1 == 0 }),
        }
    }

    /// Answers an effect, more often well than badly.
    fn answer(&mut self, how: u8) {
        if self.asked.is_empty() {
            return self.step(Input::Start);
        }
        // Mostly the latest one: an old one is probably stale.
        let at =
            if how % 8 == 7 { usize::from(how) % self.asked.len() } else { self.asked.len() - 1 };
        let effect = self.asked.remove(at);
        if how % 4 != 3 {
            if let Effect::AskConsent { .. } = effect {
                self.step(Input::Consent { given: true });
            } else if let Some(input) = self.world.healthy(&effect) {
                self.step(input);
            }
            return;
        }
        let kind = KINDS[usize::from(how / 4) % KINDS.len()];
        let input = match effect {
            Effect::CreateDevice { generation, .. } => {
                let failure = match how / 4 % 3 {
                    0 => DeviceFailure::AdapterNull,
                    1 => DeviceFailure::DeviceRejected,
                    _ => DeviceFailure::BornLost,
                };
                local(generation, LocalEvent::DeviceFailed { failure })
            }
            Effect::Probe { generation, .. } => {
                local(generation, LocalEvent::Probed { is_right: false })
            }
            Effect::VerifyShard { generation, shard, .. } => {
                local(generation, LocalEvent::ShardVerified { shard, is_intact: false })
            }
            Effect::FetchShard { generation, shard, .. } if how & 16 == 0 => local(
                generation,
                LocalEvent::ShardFailed { shard, kind, kept_bytes: u64::from(how) },
            ),
            Effect::FetchShard { generation, shard, .. } => {
                let trouble = StorageTrouble { wanted_bytes: 1, ..StorageTrouble::default() };
                local(generation, LocalEvent::StoreFailed { shard, trouble })
            }
            Effect::Load { generation, .. } => local(generation, LocalEvent::LoadFailed { kind }),
            _ => Input::Tick,
        };
        self.step(input);
    }

    /// Sends an event of a current or earlier run.
    fn work(&mut self, how: u8) {
        if self.jobs.is_empty() {
            return self.step(Input::Start);
        }
        let at =
            if how % 8 == 7 { usize::from(how / 8) % self.jobs.len() } else { self.jobs.len() - 1 };
        let Job { generation, request, next, is_server } = self.jobs[at];
        let is_over = next == TOKENS;
        let token = right_token(next);
        if how % 8 != 6 && !is_over {
            self.jobs[at].next += 1;
        }
        let kind = KINDS[usize::from(how / 8) % KINDS.len()];
        let input = match (how % 8, is_server) {
            (6, false) => local(generation, LocalEvent::Failed { request, kind }),
            (6, true) => {
                Input::Server { generation, event: ServerEvent::Failed { is_request: how > 200 } }
            }
            // A repeated token, as of a duplicated message.
            (5, false) if next > 0 => {
                local(generation, LocalEvent::Token { request, token: right_token(next - 1) })
            }
            (_, false) if is_over => {
                local(generation, LocalEvent::Finished { request, end: end(TOKENS) })
            }
            (_, false) => local(generation, LocalEvent::Token { request, token }),
            (4, true) => {
                // All remaining tokens at once.
                let tokens = (next..TOKENS).map(right_token).collect();
                let event = ServerEvent::Answered { tokens, end: end(TOKENS), variant: None };
                Input::Server { generation, event }
            }
            (_, true) if is_over => {
                let event =
                    ServerEvent::Answered { tokens: Vec::new(), end: end(TOKENS), variant: None };
                Input::Server { generation, event }
            }
            (_, true) => Input::Server { generation, event: ServerEvent::Token { token } },
        };
        self.step(input);
    }

    fn pass(&mut self, how: u8) {
        match (how % 4, self.world.auditor.deadline_ms()) {
            (0, Some(at_ms)) => self.world.now_ms = self.world.now_ms.max(at_ms),
            (1, _) => self.world.now_ms += u64::from(how) * 1000,
            _ => self.world.now_ms += u64::from(how),
        }
        self.step(Input::Tick);
    }

    fn lose(&mut self, how: u8) {
        let now = self.world.client.device;
        let generation = if how % 4 == 3 { now.saturating_sub(1) } else { now };
        let event = match how % 8 {
            0 => LocalEvent::Crashed,
            _ => LocalEvent::DeviceLost { reason: LossReason::Unknown },
        };
        self.step(local(generation, event));
    }

    fn decide(&mut self, how: u8) {
        self.step(match how % 8 {
            0 => Input::Preference { preference: Preference::Never },
            1 => Input::Preference { preference: Preference::Always },
            2 => Input::Preference { preference: Preference::Auto },
            3 => Input::Thermal { pressure: Pressure::Critical },
            4 => Input::Thermal { pressure: Pressure::Serious },
            5 => Input::Thermal { pressure: Pressure::Nominal },
            6 => Input::Battery { battery: Battery { level: 0.1, charging: false } },
            _ => Input::Battery { battery: Battery { level: 0.9, charging: true } },
        });
    }

    /// Lets deadlines expire until no request is open: the page no longer answers.
    fn fall_silent(&mut self) {
        for _ in 0..200 {
            if self.world.auditor.open().is_empty() {
                return;
            }
            let Some(at_ms) = self.world.auditor.deadline_ms() else { return };
            let spins = at_ms <= self.world.now_ms;
            self.world.auditor.expect(!spins, || "an expired deadline is set".into());
            self.world.now_ms = self.world.now_ms.max(at_ms);
            self.step(Input::Tick);
        }
    }

    /// All violations, including requests that never end.
    pub(super) fn verdict(mut self) -> Vec<String> {
        self.fall_silent();
        let open = self.world.auditor.open();
        let mut violations = self.world.auditor.violations;
        violations.extend(open.iter().map(|id| format!("request {id} never ends")));
        if !violations.is_empty() {
            violations.push(self.world.client.trace().to_string());
        }
        violations
    }
}

/// A configuration, chosen by a byte.
pub(super) fn shaped(shape: u8) -> Config {
    let mut config = config();
    config.start = match shape % 3 {
        0 => Start::Progressive,
        1 => Start::IdlePreload,
        _ => Start::LocalOnly,
    };
    config.preference = match shape / 3 % 4 {
        0 => Preference::Always,
        1 if shape > 200 => Preference::Never,
        _ => Preference::Auto,
    };
    if shape & 1 == 0 {
        config.registry.push(variant("other-q8", 50_000_000, 0.1));
    }
    config.consent_above_bytes = 50;
    config
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_request_ends(
        device: u8,
        shape: u8,
        moves in prop::collection::vec((any::<u8>(), any::<u8>()), 0..150),
    ) {
        let mut chaos = Chaos::new(device, shaped(shape));
        chaos.step(Input::Start);
        for (what, how) in moves {
            chaos.play(what, how);
        }
        let violations = chaos.verdict();
        prop_assert!(violations.is_empty(), "{}", violations.join("\n"));
    }

    /// Once the page is healthy again, it answers the next request, if any tier is allowed.
    #[test]
    fn a_client_recovers_from_faults(
        device: u8,
        // Neither `LocalOnly` nor `Never`: the server is allowed.
        shape in (0_u8..66, 0_u8..2).prop_map(|(shape, start)| shape * 3 + start),
        moves in prop::collection::vec((any::<u8>(), any::<u8>()), 0..80),
    ) {
        let mut chaos = Chaos::new(device, shaped(shape));
        chaos.step(Input::Start);
        chaos.step(Input::Idle);
        for (what, how) in moves {
            chaos.play(what, how);
        }
        chaos.fall_silent();
        // Longer than any breaker stays open.
        chaos.world.now_ms += 1_000_000;
        chaos.step(Input::Tick);
        chaos.requests += 1;
        let id = chaos.requests;
        chaos.step(request(id));
        for _ in 0..60 {
            if chaos.world.auditor.open().is_empty() {
                break;
            }
            let (asked, jobs) = (chaos.asked.len(), chaos.jobs.len());
            if asked > 0 { chaos.answer(0) } else if jobs > 0 { chaos.work(0) }
        }
        let is_answered = chaos.world.answers().iter().any(|answer| answer.request == id);
        prop_assert!(is_answered, "{}", chaos.world.report());
    }
}
