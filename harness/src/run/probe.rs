//! Asking a page what its browser can do.

use inference_wasm::protocol::{Action, CapabilityReport, Finished};

use super::conversation::{Conversation, wrong_result};
use crate::drive::page::Page;
use crate::judge::outcome::Failed;
use crate::spec::matrix::Timeouts;

/// Asks a fresh page what its browser can do.
///
/// # Errors
/// How the attempt to probe ended.
pub(crate) async fn probe(
    page: &mut impl Page,
    timeouts: Timeouts,
) -> Result<CapabilityReport, Failed> {
    let mut conversation = Conversation::open(page, timeouts).await?;
    match conversation.ask(Action::Probe).await? {
        Finished::Probe(report) => Ok(*report),
        other => Err(wrong_result("a probe", &other)),
    }
}
