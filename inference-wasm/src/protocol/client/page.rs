//! What the host asks of a page that runs the hybrid client, and what such a page tells besides.
//!
//! A client's page speaks the same protocol as an engine's: commands over WebDriver, numbered
//! events over HTTP. What the client does on its own account (a token for the user, a transition,
//! a record) belongs to no command and comes as [`PageEventKind::Client`].
//!
//! [`PageEventKind::Client`]: crate::protocol::PageEventKind::Client

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::config::Config;
use super::input::Input;
use super::mutant::ClientFault;
use super::storage::Place;
use crate::protocol::execution::BundleName;
use crate::protocol::result::Generated;

/// Something that a client's page can be asked to do. Each ends at once; what comes of it comes as
/// events of the client's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum ClientAction {
    /// Make the client and tell it that the page is there. Once in the life of a page.
    Start(Box<ClientStart>),
    /// Hand an input of the user's or of the surroundings to the client.
    Input {
        /// It.
        input: Box<Input>,
    },
    /// Have a shim act now; see [`Shim`].
    Trigger {
        /// Name of the shim.
        shim: String,
        /// For it.
        params: Value,
    },
    /// Count what the client holds.
    Inspect,
}

/// How a client's page starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClientStart {
    /// What the client is told when it is made.
    pub config: Config,
    /// The server tier: an address, relative to the page, that `/api/v1/…` is appended to. `None`
    /// is a page that has no server, where every attempt fails at once.
    #[serde(default)]
    pub server: Option<String>,
    /// The server's model; its first one when absent.
    #[serde(default)]
    pub server_model: Option<String>,
    /// The name that everything the client stores lies under.
    pub store: String,
    /// The bundle of the engine; the best that runs when absent.
    #[serde(default)]
    pub bundle: Option<BundleName>,
    /// Threads of the engine: 1 when absent.
    #[serde(default)]
    pub threads: Option<u32>,
    /// Positions of the key-value cache; the model's own when absent.
    #[serde(default)]
    pub context_tokens: Option<u32>,
    /// Adapters that compute on the CPU count as hardware, for tests on machines without a GPU.
    #[serde(default)]
    pub accepts_software: bool,
    /// Scripts that are imported before anything else, here and in every worker.
    #[serde(default)]
    pub shims: Vec<Shim>,
    /// A defect that a test build of the client carries; refused by a build without them.
    #[serde(default)]
    pub fault: Option<ClientFault>,
}

/// A script of a test, which stands between the browser and everything that uses it.
///
/// The module at `url` exports `install(params, scope, report)`: `scope` is `page` or `worker`,
/// and `report(detail)` tells that it has taken effect, which becomes
/// [`PageEventKind::Injected`](crate::protocol::PageEventKind::Injected). What it returns, if anything, is an
/// object whose `trigger(params)` is called for [`ClientAction::Trigger`], in the page and in the
/// worker at work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Shim {
    /// Its name in events.
    pub name: String,
    /// Where it is, relative to the page.
    pub url: String,
    /// For it.
    pub params: Value,
}

/// A generation that the engine has carried out for the client, with what proves on which tier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClientRun {
    /// The device.
    pub generation: u64,
    /// Id of the request.
    pub request: u64,
    /// The number that its logits came under, if they were asked for.
    pub logits_command: u32,
    /// The result.
    pub generated: Box<Generated>,
}

/// What a client has made, and what of it is still there.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ClientInspection {
    /// Workers that were started.
    pub workers_started: u32,
    /// Workers that have not been ended.
    pub workers_alive: u32,
    /// Object URLs that have not been revoked.
    pub object_urls: u32,
    /// Bytes of shards that are held in memory.
    pub memory_shard_bytes: u64,
    /// Bytes of the JavaScript heap, where the browser tells.
    pub js_heap_bytes: Option<u64>,
    /// Shards that are stored whole, over all variants.
    pub stored_shards: u32,
    /// Where new shards go, as far as that was decided.
    pub place: Option<Place>,
}

/// How a client's page began.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClientStarted {
    /// `performance.timeOrigin`: what `at_ms` counts from, in milliseconds since 1970.
    pub time_origin_ms: f64,
}
