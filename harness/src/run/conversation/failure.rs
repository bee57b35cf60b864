//! Failures from outside of the scenario: events of the page, trouble with the browser, unexpected
//! errors of the engine.

use inference_wasm::protocol::{EngineError, EngineErrorKind, Finished, PageEventKind};

use crate::drive::browser::Trouble;
use crate::judge::outcome::{Failed, Outcome};

/// Fails on events that end an attempt whatever its scenario expects.
pub(super) fn fatal(kind: &PageEventKind) -> Result<(), Failed> {
    match kind {
        PageEventKind::Panicked { message } => {
            Err(Outcome::Panicked { message: message.clone() }.into())
        }
        PageEventKind::PageError { message, source } => {
            Err(Failed::page_error(format!("{message} ({source})")))
        }
        PageEventKind::UnhandledRejection { reason } => {
            Err(Failed::page_error(format!("unhandled rejection: {reason}")))
        }
        PageEventKind::Ready { .. } => Err(Failed::page_error("the page was loaded a second time")),
        PageEventKind::Heartbeat
        | PageEventKind::Phase { .. }
        | PageEventKind::LoadProgress { .. }
        | PageEventKind::OpsProgress { .. }
        | PageEventKind::Token { .. }
        | PageEventKind::Finished { .. }
        | PageEventKind::Failed { .. }
        // The next command that needs the device fails with a typed error.
        | PageEventKind::DeviceLost { .. }
        | PageEventKind::Client { .. }
        | PageEventKind::ClientRan { .. }
        | PageEventKind::Injected { .. } => Ok(()),
    }
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        if trouble.is_crash() {
            Outcome::BrowserCrashed { message: trouble.to_string() }.into()
        } else {
            Self::trouble(trouble.phase, &trouble)
        }
    }
}

/// What a typed error means where the scenario expects a result.
pub(super) fn unexpected_error(error: EngineError) -> Outcome {
    let mut message = error.message;
    if let Some(hint) = error.hint {
        message = format!("{message}\n  hint: {hint}");
    }
    match error.kind {
        EngineErrorKind::OutOfMemory => Outcome::OutOfMemory { message },
        EngineErrorKind::DeviceLost => Outcome::DeviceLost { reason: message },
        error => Outcome::EngineError { error, message },
    }
}

/// A page that answered a command with the result of another one.
pub(crate) fn wrong_result(asked: &str, result: &Finished) -> Failed {
    let of = match result {
        Finished::Probe(_) => "probe",
        Finished::Load(_) => "load",
        Finished::Generate(_) => "generate",
        Finished::Score(_) => "score",
        Finished::Ops(_) => "ops",
        Finished::Release => "release",
        Finished::ClientStarted(_) | Finished::ClientInspected(_) | Finished::ClientTold => {
            "client"
        }
    };
    Failed::page_error(format!("{asked} was answered with the result of a `{of}` command"))
}
