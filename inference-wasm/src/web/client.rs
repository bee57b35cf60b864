//! The hybrid client for a page's script: JSON in, JSON out.
//!
//! `page/client/client.js` passes it inputs and carries out its effects. The client has its own
//! instance of the module on the page's main thread, apart from the engines in workers, because it
//! must survive an engine's crash. Any single-threaded bundle works: the client computes nothing.
//!
//! ```text
//! page/client/page.js ── the host's commands and events
//!        │ ClientStart, inputs          ▲ effects
//! page/client/client.js ── step(now, input) ──► HybridClient ──► client::machine::Client
//!        ├── detect.js, weights.js ─ storage.js, download.js ── server.js
//!        └── device.js ── a worker for each generation ── engine.js ── the engine's instance
//! ```

use wasm_bindgen::prelude::*;

use crate::client::machine::Client;
use crate::protocol::client::{Config, Input};

/// The state machine of a page.
#[wasm_bindgen]
pub struct HybridClient {
    client: Client,
}

#[wasm_bindgen]
impl HybridClient {
    /// A client that has not started. `config` is a [`Config`] in JSON; `fault` is the name of a
    /// mutant, or empty.
    ///
    /// # Errors
    ///
    /// If the configuration is not valid, or this build does not have the mutant.
    #[wasm_bindgen(constructor)]
    pub fn new(config: &str, fault: &str) -> Result<HybridClient, JsError> {
        let config = serde_json::from_str(config)
            .map_err(|error| JsError::new(&format!("the configuration is not valid: {error}")))?;
        // A panic becomes a JavaScript error with its message, which the page reports.
        std::panic::set_hook(Box::new(|panic| wasm_bindgen::throw_str(&panic.to_string())));
        let client = Client::new(with_fault(config, fault)?);
        Ok(Self { client })
    }

    /// Takes an [`Input`] in JSON and returns a list of
    /// [`Effect`](crate::protocol::client::Effect)s in JSON.
    ///
    /// # Errors
    ///
    /// If the input is not valid. The client is unchanged then.
    pub fn step(&mut self, now_ms: f64, input: &str) -> Result<String, JsError> {
        let input: Input = serde_json::from_str(input)
            .map_err(|error| JsError::new(&format!("the input {input} is not valid: {error}")))?;
        let effects = self.client.step(now_ms.max(0.0) as u64, input);
        serde_json::to_string(&effects).map_err(|error| JsError::new(&error.to_string()))
    }

    /// The breakers in JSON, to keep for the next visit.
    ///
    /// # Errors
    ///
    /// Never: breakers always serialize.
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
        .map_err(|error| JsError::new(&format!("the fault `{fault}` is not valid: {error}")))?;
    Ok(Config { fault: Some(fault), ..config })
}

#[cfg(not(feature = "seeded-faults"))]
fn with_fault(config: Config, fault: &str) -> Result<Config, JsError> {
    if fault.is_empty() {
        return Ok(config);
    }
    Err(JsError::new(&format!(
        "the fault `{fault}` needs a build with the feature `seeded-faults`"
    )))
}
