//! Commands from the host to a page.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::client::ClientAction;
use super::ops::OpsRequest;
use super::request::{GenerateRequest, LoadRequest, ScoreRequest};

/// One command. A page runs one at a time; a second command before the first has ended is an
/// error. Cancelling is a call and not a command, because a command would have to wait.
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
    /// Chosen by the host; every event that the command causes repeats it.
    pub id: u32,
    /// What the page is to do.
    pub action: Action,
}

/// The actions of a page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Action {
    /// Report what the browser can do. Needs no model.
    Probe,
    /// Fetch, verify and load a model. Replaces a loaded one.
    Load(LoadRequest),
    /// Continue a prompt.
    Generate(GenerateRequest),
    /// Teacher forcing: feed the given ids and report the logits after each.
    Score(ScoreRequest),
    /// Compare every op of a backend with the scalar reference. Needs no model.
    Ops(OpsRequest),
    /// Drop the model and all of its resources.
    Release,
    /// An action of the hybrid client; a page without one refuses it.
    Client(ClientAction),
}
