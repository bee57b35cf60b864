//! `tierproof doctor` and `tierproof setup`; the work is in [`crate::setup`].

use super::{Answer, Failure, machine, say};
use crate::run::exit::Exit;
use crate::setup::SetupError;
pub(crate) use crate::setup::{DoctorArgs, SetupArgs};

pub(crate) fn doctor(args: &DoctorArgs) -> Answer {
    let mut told = Vec::new();
    let is_complete = machine::on_runtime(async {
        crate::setup::doctor(args, &mut told).await.map_err(Failure::setup)
    })?;
    say(String::from_utf8_lossy(&told))?;
    Ok(if is_complete { Exit::Expected } else { Exit::Setup })
}

pub(crate) fn setup(args: &SetupArgs) -> Answer {
    let is_complete = machine::on_runtime(async {
        // Data goes to standard output, and a set-up has none.
        crate::setup::setup(args, &mut anstream::stderr()).await.map_err(|error| {
            let mut failure = Failure::setup(&error);
            if matches!(error, SetupError::Interrupted(_)) {
                failure.exit = Exit::Interrupted;
            }
            failure
        })
    })?;
    Ok(if is_complete { Exit::Expected } else { Exit::Setup })
}
