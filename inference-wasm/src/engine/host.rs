//! What a command runner needs from the world around it: the page's worker, or a native process.
//!
//! The runner decides; a host only fetches, tells the time, sends, and yields. One
//! implementation lives in the page glue, one in the harness for `--browser native`, and one in
//! the tests.

use crate::protocol::{CapabilityReport, EngineError, PageEventKind, Shard};

/// The effects that a command runner has.
///
/// Futures need not be `Send`: a worker has one thread, and a native host runs on its own.
#[expect(async_fn_in_trait, reason = "only this crate and the harness implement it")]
pub trait Host {
    /// Appends the bytes of one shard to `into`, which has the room for the whole file, and calls
    /// `progress` with itself and the number of bytes of each piece that arrives.
    ///
    /// Fails with `shard-unavailable` or `shard-truncated`. Hashes are the runner's business.
    async fn fetch_shard(
        &mut self,
        shard: &Shard,
        into: &mut Vec<u8>,
        progress: &mut dyn FnMut(&mut Self, usize),
    ) -> Result<(), EngineError>;

    /// Milliseconds on a monotonic clock.
    fn now_ms(&self) -> f64;

    /// Sends one event, in order, without waiting for its arrival.
    fn send(&mut self, command: Option<u32>, kind: PageEventKind);

    /// Delivers the logits of a command: row after row, f32. Returns once they have arrived.
    async fn send_logits(&mut self, command: u32, rows: &[f32]) -> Result<(), EngineError>;

    /// Lets the surroundings run often enough for a cancellation to come in, and says whether one
    /// did for the command at work. Called once a token.
    async fn is_cancelled(&mut self) -> bool;

    /// What this browser can do; a native host reports what little applies.
    async fn probe(&mut self) -> Result<CapabilityReport, EngineError>;

    /// The name of the bundle at work: `base`, or `native`.
    fn bundle(&self) -> &str;

    /// Threads that stand ready for a model, the calling one included.
    fn threads(&self) -> u32 {
        1
    }

    /// Why it is that one, in a sentence.
    #[expect(clippy::unnecessary_literal_bound, reason = "a page has a reason of its own")]
    fn bundle_reason(&self) -> &str {
        ""
    }

    /// Whether this is a page's main thread.
    fn is_main_thread(&self) -> bool {
        false
    }
}
