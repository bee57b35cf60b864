//! The browser as the engine's [`Host`]: fetching, clock, events and cancellation. In a worker or
//! on a page's main thread.

use std::cell::Cell;

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsError, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{MessageChannel, Performance, RequestInit, Response};

use super::scope::{Scope, text_of};
use super::{outbox, shard};
use crate::engine::host::Host;
use crate::protocol::{
    BundleName, CapabilityReport, EngineError, EngineErrorKind, PageEventKind, Shard,
};

/// Attempts to send logits. Sending them twice is harmless: the host keeps the latest.
const LOGITS_ATTEMPTS: u32 = 3;

/// How long a command computes before it yields to the event loop. A cancellation then waits about
/// one frame, or one token if that takes longer. Yielding after every token of a few milliseconds
/// would cost a twentieth of the time.
const TURN_MS: f64 = 8.0;

/// The bundle that this module belongs to.
const BUNDLE: BundleName = if cfg!(feature = "threads") {
    BundleName::Threads
} else if cfg!(target_feature = "relaxed-simd") {
    BundleName::Relaxed
} else if cfg!(target_feature = "simd128") {
    BundleName::Base
} else {
    BundleName::Scalar
};

thread_local! {
    /// The running command was cancelled.
    static IS_CANCELLED: Cell<bool> = const { Cell::new(false) };
}

/// A page or its worker as the engine's host.
pub(super) struct WebHost {
    scope: Scope,
    performance: Performance,
    /// The page's address.
    base: String,
    /// The bundle's name.
    bundle: String,
    /// Why the page loaded it.
    bundle_reason: String,
    /// Threads that are ready.
    threads: u32,
    /// A channel to this thread itself: a message through it yields to the event loop.
    turn: MessageChannel,
    /// When the thread last yielded.
    last_turn: f64,
}

impl WebHost {
    pub(super) fn new(base: &str, bundle_reason: &str, threads: u32) -> Result<Self, JsError> {
        let scope = Scope::here()?;
        let performance =
            scope.performance().ok_or_else(|| JsError::new("this thread has no `performance`"))?;
        let turn = MessageChannel::new().map_err(|error| JsError::new(&text_of(&error)))?;
        let faults = if cfg!(feature = "seeded-faults") { "+seeded-faults" } else { "" };
        Ok(Self {
            scope,
            performance,
            base: base.to_owned(),
            bundle: format!("{BUNDLE}{faults}"),
            bundle_reason: bundle_reason.to_owned(),
            threads,
            turn,
            last_turn: 0.0,
        })
    }

    /// Cancels the running command, or resets the flag for the next one.
    pub(super) fn cancel(is_cancelled: bool) {
        IS_CANCELLED.set(is_cancelled);
    }

    /// Resolves an address relative to the page.
    fn resolve(&self, url: &str) -> Result<String, EngineError> {
        web_sys::Url::new_with_base(url, &self.base).map(|url| url.href()).map_err(|_| {
            EngineError {
                kind: EngineErrorKind::ShardUnavailable,
                message: format!("`{url}` is not a valid address relative to `{}`", self.base),
                hint: None,
            }
        })
    }

    /// Yields to the event loop once. A message takes no time; browsers delay a timer by
    /// milliseconds, and a promise would not let other messages in.
    async fn event_loop_turn(&self) {
        let (sender, receiver) = (self.turn.port1(), self.turn.port2());
        let promise = Promise::new(&mut |resolve, _| {
            receiver.set_onmessage(Some(&resolve));
            // Posting null cannot fail.
            let _ = sender.post_message(&JsValue::NULL);
        });
        let _ = JsFuture::from(promise).await;
    }

    async fn post(&self, url: &str, body: &[u8]) -> Result<(), String> {
        let request = RequestInit::new();
        request.set_method("POST");
        request.set_body(&Uint8Array::new_from_slice(body));
        let response: Response = JsFuture::from(self.scope.fetch_with(url, &request))
            .await
            .map_err(|error| text_of(&error))?
            .unchecked_into();
        if response.ok() { Ok(()) } else { Err(format!("HTTP {}", response.status())) }
    }
}

impl Host for WebHost {
    async fn fetch_shard(
        &mut self,
        shard: &Shard,
        into: &mut Vec<u8>,
        progress: &mut dyn FnMut(&mut Self, usize),
    ) -> Result<(), EngineError> {
        let url = self.resolve(&shard.url)?;
        let scope = self.scope.clone();
        shard::fetch(&scope, &url, shard, into, &mut |bytes| progress(self, bytes)).await
    }

    fn now_ms(&self) -> f64 {
        self.performance.now()
    }

    fn send(&mut self, command: Option<u32>, kind: PageEventKind) {
        outbox::send(command, &kind);
    }

    async fn send_logits(&mut self, command: u32, rows: &[f32]) -> Result<(), EngineError> {
        let url = self.resolve(&format!("logits/{command}"))?;
        let mut why = String::new();
        for _ in 0..LOGITS_ATTEMPTS {
            // WebAssembly is little-endian, as the protocol is.
            match self.post(&url, bytemuck::cast_slice(rows)).await {
                Ok(()) => return Ok(()),
                Err(error) => why = error,
            }
        }
        Err(EngineError {
            kind: EngineErrorKind::InvalidRequest,
            message: format!("the host did not accept the logits at `{url}`: {why}"),
            hint: None,
        })
    }

    async fn is_cancelled(&mut self) -> bool {
        if self.now_ms() - self.last_turn >= TURN_MS {
            self.event_loop_turn().await;
            self.last_turn = self.now_ms();
        }
        IS_CANCELLED.get()
    }

    async fn probe(&mut self) -> Result<CapabilityReport, EngineError> {
        Err(EngineError {
            kind: EngineErrorKind::InvalidRequest,
            message: "the engine cannot probe: the page's script answers that command".into(),
            hint: None,
        })
    }

    fn bundle(&self) -> &str {
        &self.bundle
    }

    fn threads(&self) -> u32 {
        self.threads
    }

    fn is_main_thread(&self) -> bool {
        self.scope.is_main_thread()
    }

    fn bundle_reason(&self) -> &str {
        &self.bundle_reason
    }
}
