//! The failure of a subcommand, and writing to standard output.

use std::fmt::Display;
use std::io::Write;

use crate::lab::LabError;
use crate::run::exit::Exit;

/// Why a subcommand failed, and the exit code for it.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    pub(super) report: miette::Report,
}

/// The exit code of a subcommand.
pub(super) type Answer = Result<Exit, Failure>;

impl Failure {
    /// Wrong arguments, matrix or configuration, with a hint or a place.
    pub(super) fn usage(report: impl Into<miette::Report>) -> Self {
        Self { exit: Exit::Usage, report: report.into() }
    }

    /// The same, from an error that has only a message.
    pub(super) fn invalid(error: impl Display) -> Self {
        Self { exit: Exit::Usage, report: miette::Report::msg(error.to_string()) }
    }

    /// Set-up or infrastructure trouble.
    pub(super) fn setup(error: impl Display) -> Self {
        Self { exit: Exit::Setup, report: miette::Report::msg(error.to_string()) }
    }
}

impl From<LabError> for Failure {
    fn from(error: LabError) -> Self {
        let exit = error.exit();
        let report = match error {
            // Their messages already contain the causes, which a report would print again.
            LabError::Catalogue(_) | LabError::Model(_) | LabError::Bundle(_) | LabError::Io(_) => {
                miette::Report::msg(error.to_string())
            }
            LabError::NotACheckout(_)
            | LabError::NoCheckout
            | LabError::Matrix(_)
            | LabError::Filter(_)
            | LabError::NothingToRun(_)
            | LabError::Inputs(_) => error.into(),
        };
        Self { exit, report }
    }
}

/// Writes to standard output. A reader that stops early (`tierproof plan | head`) is not an
/// error; a full disk is.
pub(super) fn say(text: impl AsRef<str>) -> Result<(), Failure> {
    let mut stdout = anstream::stdout();
    let written = stdout.write_all(text.as_ref().as_bytes()).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::setup(format!("can't write to standard output: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes a line to standard error.
pub(super) fn note(line: &str) {
    anstream::eprintln!("{line}");
}
