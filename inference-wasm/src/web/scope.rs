//! The global scope that the engine runs in: a page's window or a worker's scope.

use js_sys::Promise;
use wasm_bindgen::{JsCast, JsError, JsValue};
use web_sys::{Performance, RequestInit, Window, WorkerGlobalScope};

/// The global scope.
#[derive(Clone)]
pub(super) enum Scope {
    /// The scope of a page's main thread.
    Window(Window),
    /// The scope of a worker.
    Worker(WorkerGlobalScope),
}

impl Scope {
    /// The scope that this code runs in.
    pub(super) fn here() -> Result<Self, JsError> {
        let global: js_sys::Object = js_sys::global();
        match global.dyn_into::<Window>() {
            Ok(window) => Ok(Self::Window(window)),
            Err(global) => global
                .dyn_into()
                .map(Self::Worker)
                .map_err(|_| JsError::new("expected a page or a worker, found neither")),
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

    /// Starts a request; the promise is for a `Response`.
    pub(super) fn fetch(&self, url: &str) -> Promise {
        match self {
            Self::Window(window) => window.fetch_with_str(url),
            Self::Worker(worker) => worker.fetch_with_str(url),
        }
    }

    /// Starts a request with options; the promise is for a `Response`.
    pub(super) fn fetch_with(&self, url: &str, request: &RequestInit) -> Promise {
        match self {
            Self::Window(window) => window.fetch_with_str_and_init(url, request),
            Self::Worker(worker) => worker.fetch_with_str_and_init(url, request),
        }
    }
}

/// A JavaScript value as text; of an error, its message.
pub(super) fn text_of(value: &JsValue) -> String {
    match value.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => value.as_string().unwrap_or_else(|| format!("{value:?}")),
    }
}
