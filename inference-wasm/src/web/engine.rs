//! The engine as a page or worker calls it: start, submit, cancel, end.

use std::cell::{Cell, RefCell};

use wasm_bindgen::prelude::*;

use super::host::WebHost;
use super::outbox;
use crate::engine::backend::Loss;
use crate::engine::runner::Runner;
use crate::protocol::{Command, EngineError, EngineErrorKind, PROTOCOL_VERSION, PageEventKind};

thread_local! {
    /// The command that is running.
    static CURRENT: Cell<Option<u32>> = const { Cell::new(None) };
    /// The engine has been ended: a command that is still running is the last.
    static IS_ENDED: Cell<bool> = const { Cell::new(false) };
    /// The runner with its model; taken out while a command runs.
    static RUNNER: RefCell<Option<Runner<WebHost>>> = const { RefCell::new(None) };
}

/// Prepares the engine.
///
/// `base` is the page's address, which shards and logits are relative to. `bundle_reason` says why
/// the page loaded this bundle. The page starts all `threads` but the calling one. `emit` takes
/// every event.
///
/// # Errors
///
/// If this is neither a page nor a worker.
#[wasm_bindgen]
pub fn start(
    base: &str,
    bundle_reason: &str,
    threads: u32,
    emit: js_sys::Function,
) -> Result<(), JsError> {
    outbox::open(emit);
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!(", at {place}")).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("a panic without a message");
        let kind = PageEventKind::Panicked { message: format!("{message}{place}") };
        outbox::send(CURRENT.get(), &kind);
    }));
    RUNNER.set(Some(Runner::new(WebHost::new(base, bundle_reason, threads)?)));
    Ok(())
}

/// The protocol version that the page announces.
#[wasm_bindgen]
pub fn protocol_version() -> u32 {
    PROTOCOL_VERSION
}

/// Runs one command until its last event is sent. The page has parsed the command's `id` already,
/// so that a command that does not parse here is answered too.
#[wasm_bindgen]
pub async fn submit(id: u32, command: String) {
    CURRENT.set(Some(id));
    WebHost::cancel(false);
    let failed = match (serde_json::from_str::<Command>(&command), RUNNER.take()) {
        (Ok(command), Some(mut runner)) => {
            runner.run(command).await;
            RUNNER.set(Some(runner).filter(|_| !IS_ENDED.get()));
            None
        }
        (Err(error), runner) => {
            RUNNER.set(runner);
            Some(format!("the command is not valid: {error}"))
        }
        (Ok(_), None) => Some("another command is still running".to_owned()),
    };
    if let Some(message) = failed {
        let error = EngineError { kind: EngineErrorKind::InvalidRequest, message, hint: None };
        outbox::send(Some(id), &PageEventKind::Failed { error });
    }
    CURRENT.set(None);
}

/// Asks the running command to end.
#[wasm_bindgen]
pub fn cancel() {
    WebHost::cancel(true);
}

/// Drops an engine on a page's main thread: at once, or after the running command, which is
/// cancelled. An engine in a worker ends with its worker.
#[wasm_bindgen]
pub fn end() {
    WebHost::cancel(true);
    IS_ENDED.set(true);
    RUNNER.take();
}

/// Whether the device of the loaded model is lost; sends an event if it is. For an idle engine: a
/// running command reports the loss itself.
#[wasm_bindgen]
pub fn check_device() -> bool {
    let loss = RUNNER.with_borrow(|runner| runner.as_ref().and_then(Runner::loss));
    let is_lost = loss.is_some();
    if let Some(Loss { reason, message }) = loss {
        outbox::send(None, &PageEventKind::DeviceLost { reason, message });
    }
    is_lost
}
