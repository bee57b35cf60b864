//! The global object that the engine finds itself under: a page's window, or a worker's scope.

use js_sys::Promise;
use wasm_bindgen::{JsCast, JsError, JsValue};
use web_sys::{Performance, RequestInit, Window, WorkerGlobalScope};

/// Either of the two, for what they have in common.
#[derive(Clone)]
pub(super) enum Scope {
    /// The page's main thread.
    Window(Window),
    /// A worker.
    Worker(WorkerGlobalScope),
}

impl Scope {
    /// The one that this code runs under.
    pub(super) fn here() -> Result<Self, JsError> {
        let global: js_sys::Object = js_sys::global();
        match global.dyn_into::<Window>() {
            Ok(window) => Ok(Self::Window(window)),
            Err(global) => global.dyn_into().map(Self::Worker).map_err(|_| {
                JsError::new("the engine runs in a page or a worker, this is neither")
            }),
        }
    }

    pub(super) fn is_main_thread(&self) -> bool {
        matches!(self, Self::Window(_))
    }

    pub(super) fn performance(&self) -> Option<Performance> {
        match self {
            Self::Window(window) => window.performance(),
            Self::Worker(worker) => worker.performance(),
        }
    }

    /// A promise of a `Response`.
    pub(super) fn fetch(&self, url: &str) -> Promise {
        match self {
            Self::Window(window) => window.fetch_with_str(url),
            Self::Worker(worker) => worker.fetch_with_str(url),
        }
    }

    /// The same, with more to say than an address.
    pub(super) fn fetch_with(&self, url: &str, request: &RequestInit) -> Promise {
        match self {
            Self::Window(window) => window.fetch_with_str_and_init(url, request),
            Self::Worker(worker) => worker.fetch_with_str_and_init(url, request),
        }
    }
}

/// A JavaScript value as text: an error's own message where it is one.
pub(super) fn text_of(value: &JsValue) -> String {
    match value.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => value.as_string().unwrap_or_else(|| format!("{value:?}")),
    }
}
