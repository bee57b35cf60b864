//! The page glue: what a page or its worker calls, and what the engine gets of the browser.
//!
//! `page/engine.js` loads this module and hands it commands; events go back to it as JSON text,
//! and `page/page.js` numbers and delivers them. Nothing here decides anything about a model.

#![expect(unreachable_pub, reason = "wasm-bindgen exports only what is `pub`")]

mod client;
mod host;
#[cfg(feature = "threads")]
mod pool;
mod scope;
mod shard;

use std::cell::{Cell, RefCell};

use wasm_bindgen::prelude::*;

use self::host::WebHost;
use crate::engine::backend::Loss;
use crate::engine::runner::Runner;
use crate::protocol::{Command, EngineError, EngineErrorKind, PROTOCOL_VERSION, PageEventKind};

thread_local! {
    /// `engine.js`'s `emit(command, kind, fate)`.
    static EMIT: RefCell<Option<js_sys::Function>> = const { RefCell::new(None) };
    /// The command at work.
    static CURRENT: Cell<Option<u32>> = const { Cell::new(None) };
    /// The host wants the command at work to end.
    static IS_CANCELLED: Cell<bool> = const { Cell::new(false) };
    /// Nothing is to be computed any more.
    static IS_ENDED: Cell<bool> = const { Cell::new(false) };
    /// The runner with its model; taken out while it works.
    static RUNNER: RefCell<Option<Runner<WebHost>>> = const { RefCell::new(None) };
}

/// Prepares the engine. `base` is the page's address, which shards and logits are relative to;
/// `bundle_reason` says why the page loaded this bundle; of `threads`, the others are the page's to
/// start; `emit` takes every event.
///
/// # Errors
///
/// If the surroundings are neither those of a page nor of a worker.
#[wasm_bindgen]
pub fn start(
    base: &str,
    bundle_reason: &str,
    threads: u32,
    emit: js_sys::Function,
) -> Result<(), JsError> {
    EMIT.set(Some(emit));
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!(", at {place}")).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("a panic without a message");
        let kind = PageEventKind::Panicked { message: format!("{message}{place}") };
        emit_event(CURRENT.get(), &kind);
    }));
    RUNNER.set(Some(Runner::new(WebHost::new(base, bundle_reason, threads)?)));
    Ok(())
}

/// The version that the page announces itself with.
#[wasm_bindgen]
pub fn protocol_version() -> u32 {
    PROTOCOL_VERSION
}

/// Works on one command until its last event is out. `id` is the command's, which the page has
/// read already, so that even a command that can't be understood gets its answer.
#[wasm_bindgen]
pub async fn submit(id: u32, command: String) {
    CURRENT.set(Some(id));
    IS_CANCELLED.set(false);
    let failed = match (serde_json::from_str::<Command>(&command), RUNNER.take()) {
        (Ok(command), Some(mut runner)) => {
            runner.run(command).await;
            RUNNER.set(Some(runner).filter(|_| !IS_ENDED.get()));
            None
        }
        (Err(error), runner) => {
            RUNNER.set(runner);
            Some(format!("the command can't be understood: {error}"))
        }
        (Ok(_), None) => Some("another command is still at work".to_owned()),
    };
    if let Some(message) = failed {
        let error = EngineError { kind: EngineErrorKind::InvalidRequest, message, hint: None };
        emit_event(Some(id), &PageEventKind::Failed { error });
    }
    CURRENT.set(None);
}

/// Asks the command at work to end.
#[wasm_bindgen]
pub fn cancel() {
    IS_CANCELLED.set(true);
}

/// Drops the engine: at once, or as soon as the command at work has ended, which it is asked to. For
/// an engine on a page's main thread; one in a worker goes with it.
#[wasm_bindgen]
pub fn end() {
    IS_CANCELLED.set(true);
    IS_ENDED.set(true);
    RUNNER.take();
}

/// Whether the device of the loaded model is gone; says so in an event if it is. For an engine that
/// has nothing to do: a command that is at work fails by itself.
#[wasm_bindgen]
pub fn check_device() -> bool {
    let loss = RUNNER.with_borrow(|runner| runner.as_ref().and_then(Runner::loss));
    let is_lost = loss.is_some();
    if let Some(Loss { reason, message }) = loss {
        emit_event(None, &PageEventKind::DeviceLost { reason, message });
    }
    is_lost
}

/// Hands one event to the page's script.
fn emit_event(command: Option<u32>, kind: &PageEventKind) {
    let fate = match kind {
        PageEventKind::Finished { .. } | PageEventKind::Failed { .. } => "ends",
        PageEventKind::Panicked { .. } => "dies",
        _ => "goes-on",
    };
    let json = serde_json::to_string(kind).expect("every key of an event is text");
    EMIT.with_borrow(|emit| {
        if let Some(emit) = emit {
            // It only posts a message; there is nobody to tell if that fails.
            let _ = emit.call3(&JsValue::NULL, &command.into(), &json.into(), &fate.into());
        }
    });
}
