//! Actions of a page that runs the hybrid client, and its reports.
//!
//! The page uses the same protocol as an engine's page: commands over WebDriver, numbered events
//! over HTTP. Effects of the client (a token for the user, a transition, a record) do not belong
//! to a command; they are sent as [`PageEventKind::Client`].
//!
//! [`PageEventKind::Client`]: crate::protocol::PageEventKind::Client

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::config::Config;
use super::input::Input;
use super::model::Place;
use super::mutant::ClientFault;
use crate::protocol::execution::BundleName;
use crate::protocol::result::Generated;

/// An action of a client's page. Each ends immediately; its consequences follow as events of the
/// client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum ClientAction {
    /// Create and start the client. Once in the life of a page.
    Start(Box<ClientStart>),
    /// Pass an input of the user or of the environment to the client.
    Input {
        /// The input.
        input: Box<Input>,
    },
    /// Trigger a shim; see [`Shim`].
    Trigger {
        /// Name of the shim.
        shim: String,
        /// Its parameters.
        params: Value,
    },
    /// Count the client's resources.
    Inspect,
}

/// The settings of a client's page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClientStart {
    /// The client's configuration.
    pub config: Config,
    /// The server tier: an address relative to the page, to which `/api/v1/…` is appended. With
    /// `None` every attempt at the server fails immediately.
    #[serde(default)]
    pub server: Option<String>,
    /// The server's model; its first model when absent.
    #[serde(default)]
    pub server_model: Option<String>,
    /// The name under which the client stores everything.
    pub store: String,
    /// The engine's bundle; the best one that runs when absent.
    #[serde(default)]
    pub bundle: Option<BundleName>,
    /// Threads of the engine; 1 when absent.
    #[serde(default)]
    pub threads: Option<u32>,
    /// Positions of the key-value cache; the model's context length when absent.
    #[serde(default)]
    pub context_tokens: Option<u32>,
    /// Software adapters count as hardware, for tests on machines without a GPU.
    #[serde(default)]
    pub accepts_software: bool,
    /// Scripts that the page and every worker import before anything else.
    #[serde(default)]
    pub shims: Vec<Shim>,
    /// The mutant to be. A build without mutants refuses it.
    #[serde(default)]
    pub fault: Option<ClientFault>,
}

/// A test's script, between the browser and the code that uses it.
///
/// The module at `url` exports `install(params, scope, report)`: `scope` is `page` or `worker`,
/// and a call of `report(detail)` when it takes effect becomes
/// [`PageEventKind::Injected`](crate::protocol::PageEventKind::Injected). It may return an object
/// whose `trigger(params)` is called for [`ClientAction::Trigger`], in the page and in the active
/// worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Shim {
    /// Its name in events.
    pub name: String,
    /// Its address, relative to the page.
    pub url: String,
    /// Its parameters.
    pub params: Value,
}

/// A generation that the engine ran for the client, with the report that proves its tier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClientRun {
    /// Generation of the device.
    pub generation: u64,
    /// Id of the request.
    pub request: u64,
    /// The command number that its logits were posted under, if they were requested.
    pub logits_command: u32,
    /// The result.
    pub generated: Box<Generated>,
}

/// The resources that a client has created and still holds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ClientInspection {
    /// Workers started.
    pub workers_started: u32,
    /// Workers not ended.
    pub workers_alive: u32,
    /// Object URLs not revoked.
    pub object_urls: u32,
    /// Bytes of shards in memory.
    pub memory_shard_bytes: u64,
    /// Bytes of the JavaScript heap, if the browser reports them.
    pub js_heap_bytes: Option<u64>,
    /// Complete shards in storage, of all variants.
    pub stored_shards: u32,
    /// Where new shards are stored, once decided.
    pub place: Option<Place>,
}

/// The start of a client's page.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClientStarted {
    /// `performance.timeOrigin`: the origin of `at_ms`, in milliseconds since 1970.
    pub time_origin_ms: f64,
}
