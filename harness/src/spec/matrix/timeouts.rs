//! How long each phase of an attempt may take.

use std::time::Duration;

use inference_wasm::protocol::Phase;

/// How long each phase of an attempt may take.
///
/// The defaults are for a slow machine of a CI that renders in software and shares its cores; a
/// limit is there to end what hangs, not to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// The driver is started and has opened a session.
    pub launch: Duration,
    /// The page's worker has said that it is ready.
    pub ready: Duration,
    /// The browser's capabilities are read.
    pub probe: Duration,
    /// Every shard has come.
    pub fetch: Duration,
    /// The model can run.
    pub prepare: Duration,
    /// A prompt is worked through.
    pub prefill: Duration,
    /// A generation has ended.
    pub decode: Duration,
    /// Given tokens are scored.
    pub score: Duration,
    /// The op suite is through on one backend.
    pub ops: Duration,
    /// A model is dropped.
    pub release: Duration,
    /// The longest time without any sign of life.
    pub silence: Duration,
    /// A whole attempt.
    pub attempt: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            launch: seconds(60),
            ready: seconds(60),
            probe: seconds(60),
            fetch: seconds(120),
            prepare: seconds(120),
            prefill: seconds(120),
            decode: seconds(300),
            score: seconds(300),
            ops: seconds(300),
            release: seconds(30),
            silence: seconds(30),
            attempt: seconds(900),
        }
    }
}

impl Timeouts {
    /// The limit of a phase of a command.
    pub fn of(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Probe => self.probe,
            Phase::Fetch => self.fetch,
            Phase::Prepare => self.prepare,
            Phase::Prefill => self.prefill,
            Phase::Decode => self.decode,
            Phase::Score => self.score,
            Phase::Ops => self.ops,
            Phase::Release => self.release,
        }
    }
}
