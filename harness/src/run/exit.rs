//! The exit codes of the command: one for each way in which a run can end.
//!
//! The numbers are part of the interface: scripts and CI jobs use them to distinguish a wrong
//! answer from infrastructure trouble.

use super::event::Summary;

/// How the command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything came out as expected.
    Expected = 0,
    /// A wrong answer, an unexpected pass, or a flaky cell.
    Unexpected = 1,
    /// Arguments, matrix or configuration are wrong.
    Usage = 2,
    /// Nothing ran, or a floor of the matrix was missed.
    NothingRan = 3,
    /// Set-up or infrastructure trouble: the run proves nothing about the product.
    Setup = 4,
    /// The user stopped it.
    Interrupted = 130,
}

impl Exit {
    /// The number that the process returns.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// How a logged run ended; [`Self::Setup`] for an unknown number.
    pub fn from_code(code: u8) -> Self {
        let all =
            [Self::Expected, Self::Unexpected, Self::Usage, Self::NothingRan, Self::Interrupted];
        all.into_iter().find(|exit| exit.code() == code).unwrap_or(Self::Setup)
    }

    /// Judges a whole run. The worst result decides; failures of the product take precedence over
    /// infrastructure trouble.
    pub fn of_run(summary: &Summary, missed_floors: &[String], interrupted: bool) -> Self {
        if interrupted {
            Self::Interrupted
        } else if summary.unexpected + summary.unexpected_passes + summary.flaky > 0 {
            Self::Unexpected
        } else if summary.inconclusive > 0 {
            Self::Setup
        } else if summary.ran() == 0 || !missed_floors.is_empty() {
            Self::NothingRan
        } else {
            Self::Expected
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_result_decides() {
        let green = Summary { expected: 5, unsupported: 3, ..Summary::default() };
        let floor = ["firefox: 0 cells as expected, at least 1 required".to_owned()];
        for (summary, floors, interrupted, exit) in [
            (green, &[][..], false, Exit::Expected),
            (green, &floor[..], false, Exit::NothingRan),
            (green, &[], true, Exit::Interrupted),
            (Summary::default(), &[], false, Exit::NothingRan),
            (Summary { unsupported: 9, ..Summary::default() }, &[], false, Exit::NothingRan),
            (Summary { inconclusive: 1, ..green }, &[], false, Exit::Setup),
            (Summary { inconclusive: 1, unexpected: 1, ..green }, &[], false, Exit::Unexpected),
            (Summary { flaky: 1, ..green }, &[], false, Exit::Unexpected),
            (Summary { unexpected_passes: 1, ..green }, &[], false, Exit::Unexpected),
        ] {
            assert_eq!(Exit::of_run(&summary, floors, interrupted), exit, "{summary:?}");
        }
    }
}
