//! What a matrix has to know of an engine.

use std::collections::BTreeMap;

use inference_wasm::protocol::BackendName;

/// What a matrix has to know of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineFacts {
    /// Its name.
    pub name: String,
    /// The backends that it does not have, each with the reason.
    pub missing_backends: BTreeMap<BackendName, String>,
    /// Why no cell of it can be judged yet; `None` if it can.
    pub not_judged: Option<String>,
}

impl EngineFacts {
    /// Why a cell of this engine can't run on a backend.
    pub fn unsupported(&self, backend: BackendName) -> Option<String> {
        match self.missing_backends.get(&backend) {
            Some(reason) => Some(format!("`{}` does not run on `{backend}`: {reason}", self.name)),
            None => self.not_judged.clone(),
        }
    }
}
