//! The progress of a generation as its request sees it: tokens, and one end.

use inference_wasm::client::machine::Token;
use inference_wasm::client::output::Answer;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::problem::{Problem, ProblemKind};

/// A step of a generation.
#[derive(Debug)]
pub(super) enum Step {
    /// A token.
    Token(Token),
    /// The end. Nothing comes after it.
    End(Result<Box<Answer>, Problem>),
}

/// A running generation. Dropping it cancels the engine's work, whether the caller went
/// away or the deadline passed.
#[derive(Debug)]
pub(super) struct Steps {
    receiver: UnboundedReceiver<Step>,
    deadline: Instant,
}

impl Steps {
    /// Steps that end by the deadline, whatever the engine does.
    pub(super) fn new(receiver: UnboundedReceiver<Step>, deadline: Instant) -> Self {
        Self { receiver, deadline }
    }

    /// The next step.
    pub(super) async fn next(&mut self) -> Step {
        match tokio::time::timeout_at(self.deadline, self.receiver.recv()).await {
            Ok(Some(step)) => step,
            Ok(None) => {
                let detail = "the engine ended without an answer";
                Step::End(Err(Problem::new(ProblemKind::EngineFailed, detail)))
            }
            Err(_) => {
                let detail = "the answer was not ready in time";
                Step::End(Err(Problem::new(ProblemKind::DeadlineExceeded, detail)))
            }
        }
    }

    /// Waits for the end.
    pub(super) async fn end(&mut self) -> Result<Box<Answer>, Problem> {
        loop {
            if let Step::End(end) = self.next().await {
                return end;
            }
        }
    }
}
