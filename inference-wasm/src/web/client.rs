//! The hybrid client for a page's script: text in, text out.
//!
//! `page/client/client.js` tells it what happened and carries out what it asks for. The page's
//! main thread has an instance of the module of its own for it, beside those of the engines in
//! workers, since an engine may die and the client must not. Any bundle of one thread does: the
//! client computes nothing.
//!
//! ```text
//! page/client/page.js ── the host's commands and events
//!        │ ClientStart, inputs          ▲ effects
//! page/client/client.js ── step(now, input) ──► HybridClient ──► client::machine::Client
//!        ├── detect.js, weights.js ─ storage.js, download.js ── server.js
//!        └── device.js ── a worker for each generation ── engine.js ── the engine's instance
//! ```

use wasm_bindgen::prelude::*;

use crate::client::machine::{Client, Config, Input};

/// The state machine of a page.
#[wasm_bindgen]
pub struct HybridClient {
    client: Client,
}

#[wasm_bindgen]
impl HybridClient {
    /// A client that has not started. `config` is a [`Config`] in JSON; `fault` is the name of a
    /// defect to build in, or empty.
    ///
    /// # Errors
    ///
    /// If the configuration can't be understood, or this build has no such defect.
    #[wasm_bindgen(constructor)]
    pub fn new(config: &str, fault: &str) -> Result<HybridClient, JsError> {
        let config = serde_json::from_str(config)
            .map_err(|error| JsError::new(&format!("the configuration: {error}")))?;
        // A panic is an error with its message, which the page tells.
        std::panic::set_hook(Box::new(|panic| wasm_bindgen::throw_str(&panic.to_string())));
        let client = Client::new(with_fault(config, fault)?);
        Ok(Self { client })
    }

    /// Takes what happened, an [`Input`] in JSON, and gives what is to be done: a list of
    /// [`Effect`](crate::client::machine::Effect)s in JSON.
    ///
    /// # Errors
    ///
    /// If the input can't be understood. Nothing has happened then.
    pub fn step(&mut self, now_ms: f64, input: &str) -> Result<String, JsError> {
        let input: Input = serde_json::from_str(input)
            .map_err(|error| JsError::new(&format!("the input {input}: {error}")))?;
        let effects = self.client.step(now_ms.max(0.0) as u64, input);
        serde_json::to_string(&effects).map_err(|error| JsError::new(&error.to_string()))
    }

    /// The breakers in JSON, to be kept for the next visit.
    ///
    /// # Errors
    ///
    /// Never: they are made of numbers and names.
    pub fn breakers(&self) -> Result<String, JsError> {
        serde_json::to_string(self.client.breakers())
            .map_err(|error| JsError::new(&error.to_string()))
    }
}

#[cfg(feature = "seeded-faults")]
fn with_fault(config: Config, fault: &str) -> Result<Config, JsError> {
    if fault.is_empty() {
        return Ok(config);
    }
    let fault = serde_json::from_value(fault.into())
        .map_err(|error| JsError::new(&format!("the fault `{fault}`: {error}")))?;
    Ok(Config { fault: Some(fault), ..config })
}

#[cfg(not(feature = "seeded-faults"))]
fn with_fault(config: Config, fault: &str) -> Result<Config, JsError> {
    if fault.is_empty() {
        return Ok(config);
    }
    Err(JsError::new(&format!("the fault `{fault}`: this build carries none")))
}
