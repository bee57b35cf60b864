//! What the host asks of a page.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::client::ClientAction;
use super::ops::OpsRequest;
use super::request::{GenerateRequest, LoadRequest, ScoreRequest};

/// One request. A page works on one at a time; a second one before the first has ended is an
/// error. Cancelling is not a command but a call, since a command would have to wait its turn.
///
/// ```
/// # use inference_wasm::protocol::Command;
/// let json = r#"{"id":3,"action":{"do":"generate","prompt":{"text":"Sentiment: I love it."},
///     "max_tokens":8}}"#;
/// let command: Command = serde_json::from_str(json).unwrap();
/// assert_eq!(command.id, 3);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Command {
    /// Chosen by the host, repeated in every event that the command causes.
    pub id: u32,
    /// What to do.
    pub action: Action,
}

/// What a page can be asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Action {
    /// Report what this browser can do. Needs no model.
    Probe,
    /// Fetch, check and load a model. Replaces one that is loaded.
    Load(LoadRequest),
    /// Continue a prompt.
    Generate(GenerateRequest),
    /// Teacher-forced logits: feed the ids as given and report the logits after each.
    Score(ScoreRequest),
    /// Hold every op of a backend against the scalar reference. Needs no model.
    Ops(OpsRequest),
    /// Drop the model and everything that belongs to it.
    Release,
    /// Something for the hybrid client; an engine's page refuses it.
    Client(ClientAction),
}
