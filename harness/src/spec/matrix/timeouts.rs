//! How long each phase of an attempt may take.

use std::time::Duration;

use inference_wasm::protocol::Phase;

/// How long each phase of an attempt may take.
///
/// The defaults are for a slow CI machine that renders in software and shares its cores. A limit
/// ends a phase that hangs; it does not measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the driver has started and opened a session.
    pub launch: Duration,
    /// Until the page's worker has reported that it is ready.
    pub ready: Duration,
    /// Until the browser's capabilities are read.
    pub probe: Duration,
    /// Until every shard has arrived.
    pub fetch: Duration,
    /// Until the model can run.
    pub prepare: Duration,
    /// Until a prompt is processed.
    pub prefill: Duration,
    /// Until a generation has ended.
    pub decode: Duration,
    /// Until the given tokens are scored.
    pub score: Duration,
    /// Until the op suite has finished on a backend.
    pub ops: Duration,
    /// Until a model is dropped.
    pub release: Duration,
    /// The longest time without an event or a heartbeat.
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
