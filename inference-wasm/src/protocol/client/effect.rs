//! Everything that the client asks of the page.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::input::{Generation, Token};
use super::model::ModelVariant;
use super::output::{Answer, ClientError};
use super::state::Transition;
use super::storage::Place;
use super::telemetry::TelemetryRecord;
use super::tier::Tier;
use crate::protocol::request::GenerateRequest;

/// One thing to do. Effects are carried out in order; none of them is waited for, and what comes
/// of them comes back as an [`Input`](super::Input).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "effect", rename_all = "kebab-case")]
pub enum Effect {
    /// Find out what the device can do.
    Detect,
    /// Get a fresh adapter and a device from it, or a fresh context or module instance. Nothing of
    /// an older generation is reused: an instance whose device was lost may give no adapter.
    CreateDevice {
        /// For this tier.
        tier: Tier,
        /// Its number.
        generation: Generation,
    },
    /// Run the first dispatch on it, and hold it against what it must be.
    Probe {
        /// The tier.
        tier: Tier,
        /// The device.
        generation: Generation,
    },
    /// Look through storage.
    InspectStorage {
        /// For what.
        generation: Generation,
        /// Id of the variant.
        variant: String,
    },
    /// Drop all that is stored of a variant: it is of other versions.
    Discard {
        /// Id of the variant.
        variant: String,
    },
    /// Ask the browser to keep what is stored. Its answer changes nothing.
    PersistStorage,
    /// Hash a stored shard.
    VerifyShard {
        /// For what.
        generation: Generation,
        /// Id of the variant.
        variant: String,
        /// Its place in the manifest.
        shard: u32,
    },
    /// Fetch a shard, hash it whole, and put it there.
    FetchShard {
        /// For what.
        generation: Generation,
        /// Id of the variant.
        variant: String,
        /// Its place in the manifest.
        shard: u32,
        /// The first byte to ask for; those before are there.
        from: u64,
        /// Where it goes.
        place: Place,
    },
    /// Ask the user about a download.
    AskConsent {
        /// Bytes to fetch.
        bytes: u64,
    },
    /// Tell the user how far it is.
    Progress {
        /// Bytes that are there.
        bytes: u64,
        /// Bytes in all.
        total_bytes: u64,
    },
    /// Load the model on the device, from where its shards lie and never from the network.
    Load {
        /// The tier.
        tier: Tier,
        /// The device.
        generation: Generation,
        /// The model.
        variant: Box<ModelVariant>,
    },
    /// Run a request on the device.
    Run {
        /// The device.
        generation: Generation,
        /// Id of the request.
        request: u64,
        /// What to generate.
        generate: GenerateRequest,
        /// Where to begin.
        begin: Begin,
    },
    /// Stop a request; the device says when it has.
    StopRun {
        /// The device.
        generation: Generation,
        /// Id of the request.
        request: u64,
    },
    /// End a device, its worker included, without waiting for it.
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
        /// What to generate.
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
        /// It.
        token: Token,
    },
    /// Give the user the answer: the end of a request.
    Answer {
        /// It.
        answer: Box<Answer>,
    },
    /// Tell the user that there is none: the end of a request, too.
    Fail {
        /// Why.
        error: Box<ClientError>,
    },
    /// Record a change of state.
    Transition {
        /// It.
        transition: Transition,
    },
    /// Send a record.
    Telemetry {
        /// It.
        record: Box<TelemetryRecord>,
    },
    /// Come back with [`Input::Tick`](super::Input::Tick) then, if nothing else happens before.
    /// Replaces the deadline before; `None` is none.
    SetDeadline {
        /// When.
        at_ms: Option<u64>,
    },
}

/// Where a run begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "begin", rename_all = "kebab-case")]
pub enum Begin {
    /// With the prompt.
    Fresh,
    /// With the prompt, on the same tier and model as before: every token comes again, and is held
    /// against what the user has seen.
    Replay,
    /// Behind what the user has seen: other arithmetic or another model might have said something
    /// else, and can't take it back. Indexes go on from there.
    Continue {
        /// The variant that said it; its ids mean nothing to another one.
        variant: Option<String>,
        /// Ids of the tokens.
        ids: Vec<u32>,
        /// Their text.
        text: String,
    },
}
