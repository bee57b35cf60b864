//! The way of events to the page's script.

use std::cell::RefCell;

use wasm_bindgen::JsValue;

use crate::protocol::PageEventKind;

thread_local! {
    /// The script's `emit(command, kind, fate)`.
    static EMIT: RefCell<Option<js_sys::Function>> = const { RefCell::new(None) };
}

/// Has `emit` take every event of this thread from now on.
pub(super) fn open(emit: js_sys::Function) {
    EMIT.set(Some(emit));
}

/// Passes one event to the page's script.
pub(super) fn send(command: Option<u32>, kind: &PageEventKind) {
    let fate = match kind {
        PageEventKind::Finished { .. } | PageEventKind::Failed { .. } => "ends",
        PageEventKind::Panicked { .. } => "dies",
        _ => "goes-on",
    };
    let json = serde_json::to_string(kind).expect("every key of an event is text");
    EMIT.with_borrow(|emit| {
        if let Some(emit) = emit {
            // `emit` only posts a message, and a failure could not be reported anywhere.
            let _ = emit.call3(&JsValue::NULL, &command.into(), &json.into(), &fate.into());
        }
    });
}
