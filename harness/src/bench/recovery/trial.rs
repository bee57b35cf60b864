//! The inputs and results of a trial.

use std::sync::Arc;
use std::time::Duration;

use inference_wasm::client::tier::Tier;
use inference_wasm::protocol::BackendName;

use super::lap::Lap;
use crate::drive::browser::Trouble;
use crate::drive::server::ServedModel;
use crate::judge::outcome::Failed;

/// How long each awaited event may take.
pub(super) const SILENCE: Duration = Duration::from_mins(1);

/// The inputs of a trial.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The model, in shards.
    pub model: Arc<ServedModel>,
    /// The tier.
    pub backend: BackendName,
    /// The number of crashes.
    pub crashes: u32,
}

/// The result of one crash.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Crash {
    /// The client has recovered on the same tier.
    Recovered(Lap),
    /// The client went to another tier, or to none.
    OtherWay,
}

/// Why a trial could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The page or its browser failed.
    #[error(transparent)]
    Page(#[from] Failed),
    /// The server can't open a place for the page.
    #[error("the page can't be served: {0}")]
    Server(#[from] std::io::Error),
    /// The model's file can't be described to the client.
    #[error("the model can't be offered: {message}")]
    Model {
        /// Why.
        message: String,
    },
    /// The client does not run on the tier that is to be measured.
    #[error("`{backend}` is not available here: the client went on to `{tier}`")]
    OtherTier {
        /// The tier that was asked for.
        backend: BackendName,
        /// The tier that the client chose.
        tier: Tier,
    },
    /// The client is alive, but an event did not come.
    #[error("{what} did not come within {} s", SILENCE.as_secs())]
    Missing {
        /// The event.
        what: &'static str,
    },
}

impl From<Trouble> for RecoveryError {
    fn from(trouble: Trouble) -> Self {
        Self::Page(trouble.into())
    }
}
