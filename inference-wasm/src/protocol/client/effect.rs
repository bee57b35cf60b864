//! Effects: what the client asks the page to do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::input::{Generation, Token};
use super::model::{ModelVariant, Place};
use super::output::{Answer, ClientError};
use super::state::Transition;
use super::telemetry::TelemetryRecord;
use super::tier::Tier;
use crate::protocol::request::GenerateRequest;

/// One effect. The page carries effects out in order and does not wait for any; their results
/// come back as [`Input`](super::Input)s.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "effect", rename_all = "kebab-case")]
pub enum Effect {
    /// Detect what the device can do.
    Detect,
    /// Create a fresh adapter and device, or a fresh context or module instance. Nothing of an
    /// older generation is reused: an instance whose device was lost may offer no adapter.
    CreateDevice {
        /// The tier of the device.
        tier: Tier,
        /// Its generation.
        generation: Generation,
    },
    /// Run the first dispatch on a device and verify its result.
    Probe {
        /// The tier.
        tier: Tier,
        /// The device.
        generation: Generation,
    },
    /// Inspect storage.
    InspectStorage {
        /// The device that the weights are for.
        generation: Generation,
        /// Id of the variant.
        variant: String,
    },
    /// Delete the stored shards of a variant: they are of other versions.
    Discard {
        /// Id of the variant.
        variant: String,
    },
    /// Ask the browser to persist storage. Its answer is not used.
    PersistStorage,
    /// Hash a stored shard.
    VerifyShard {
        /// The device that the weights are for.
        generation: Generation,
        /// Id of the variant.
        variant: String,
        /// Its index in the manifest.
        shard: u32,
    },
    /// Fetch a shard, verify the hash of the whole, and store it.
    FetchShard {
        /// The device that the weights are for.
        generation: Generation,
        /// Id of the variant.
        variant: String,
        /// Its index in the manifest.
        shard: u32,
        /// The first byte to request; earlier bytes are stored.
        from: u64,
        /// Where to store it.
        place: Place,
    },
    /// Ask the user for consent to a download.
    AskConsent {
        /// Bytes to fetch.
        bytes: u64,
    },
    /// Show the progress of the download.
    Progress {
        /// Bytes that are available.
        bytes: u64,
        /// Bytes in total.
        total_bytes: u64,
    },
    /// Load the model on the device from stored shards, never from the network.
    Load {
        /// The tier.
        tier: Tier,
        /// The device.
        generation: Generation,
        /// The model variant.
        variant: Box<ModelVariant>,
    },
    /// Run a request on the device.
    Run {
        /// The device.
        generation: Generation,
        /// Id of the request.
        request: u64,
        /// The prompt and its options.
        generate: GenerateRequest,
        /// Where to begin.
        begin: Begin,
    },
    /// Stop a run. The device reports its end.
    StopRun {
        /// The device.
        generation: Generation,
        /// Id of the request.
        request: u64,
    },
    /// End a device and its worker, without waiting.
    Abandon {
        /// The device.
        generation: Generation,
    },
    /// Ask the server.
    AskServer {
        /// The attempt.
        generation: Generation,
        /// Id of the request.
        request: u64,
        /// The prompt and its options.
        generate: GenerateRequest,
        /// Where to begin.
        begin: Begin,
    },
    /// End an attempt at the server.
    StopServer {
        /// The attempt.
        generation: Generation,
    },
    /// Show the user a token.
    EmitToken {
        /// Id of the request.
        request: u64,
        /// The token.
        token: Token,
    },
    /// Deliver the answer, which ends the request.
    Answer {
        /// The answer.
        answer: Box<Answer>,
    },
    /// Report an error, which ends the request.
    Fail {
        /// The error.
        error: Box<ClientError>,
    },
    /// Record a transition.
    Transition {
        /// The transition.
        transition: Transition,
    },
    /// Send a telemetry record.
    Telemetry {
        /// The record.
        record: Box<TelemetryRecord>,
    },
    /// Send [`Input::Tick`](super::Input::Tick) at that time if no other input comes first.
    /// Replaces the previous deadline; `None` removes it.
    SetDeadline {
        /// The time in milliseconds.
        at_ms: Option<u64>,
    },
}

/// Where a run begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "begin", rename_all = "kebab-case")]
pub enum Begin {
    /// At the prompt.
    Fresh,
    /// At the prompt, on the same tier and model as before: every token is generated again and
    /// compared with what the user has seen.
    Replay,
    /// After the tokens that the user has seen, because other arithmetic or another model might
    /// have generated different ones. Indexes continue from there.
    Continue {
        /// The variant that generated them; the ids are valid for it alone.
        variant: Option<String>,
        /// Ids of the tokens.
        ids: Vec<u32>,
        /// Text of the tokens.
        text: String,
    },
}
