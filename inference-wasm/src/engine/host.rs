//! What a command runner needs from its surroundings: a page's worker, or a native process.
//!
//! The runner decides; a host only fetches, reads the clock, sends, and yields. There are three: in
//! the page glue, in the harness for `--browser native`, and in the tests.

use crate::protocol::{CapabilityReport, EngineError, PageEventKind, Shard};

/// The side effects of a command runner.
///
/// Futures need not be `Send`: a worker has one thread, and a native host runs on its own thread.
#[expect(async_fn_in_trait, reason = "only this crate and the harness implement it")]
pub trait Host {
    /// Appends the bytes of one shard to `into`, which has capacity for the whole file, and calls
    /// `progress` with itself and the size of each piece that arrives, in bytes.
    ///
    /// Fails with `shard-unavailable` or `shard-truncated`. The runner checks hashes.
    async fn fetch_shard(
        &mut self,
        shard: &Shard,
        into: &mut Vec<u8>,
        progress: &mut dyn FnMut(&mut Self, usize),
    ) -> Result<(), EngineError>;

    /// Milliseconds on a monotonic clock.
    fn now_ms(&self) -> f64;

    /// Sends one event, in order, without waiting until it arrives.
    fn send(&mut self, command: Option<u32>, kind: PageEventKind);

    /// Delivers the logits of a command, row after row. Returns once they have arrived.
    async fn send_logits(&mut self, command: u32, rows: &[f32]) -> Result<(), EngineError>;

    /// Yields, so that a cancellation can arrive, and returns whether the current command was
    /// cancelled. Called once per token.
    async fn is_cancelled(&mut self) -> bool;

    /// Probes the browser's capabilities; a native host reports the few that apply.
    async fn probe(&mut self) -> Result<CapabilityReport, EngineError>;

    /// The name of the bundle: `base`, …, or `native`.
    fn bundle(&self) -> &str;

    /// Threads available to a model, including the calling one.
    fn threads(&self) -> u32 {
        1
    }

    /// Why this bundle was chosen, in a sentence.
    #[expect(clippy::unnecessary_literal_bound, reason = "a page has a reason of its own")]
    fn bundle_reason(&self) -> &str {
        ""
    }

    /// Whether this is a page's main thread.
    fn is_main_thread(&self) -> bool {
        false
    }
}
