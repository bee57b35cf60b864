//! `tierproof doctor` and `tierproof setup`; the work is in [`crate::setup`].

use super::workspace::Workspace;
use super::{Answer, Failure, machine, say};
use crate::fetch::models;
use crate::run::exit::Exit;
pub(crate) use crate::setup::{DoctorArgs, SetupArgs};

pub(crate) fn doctor(workspace: &Workspace, args: &DoctorArgs) -> Answer {
    let catalogue = workspace.catalogue()?;
    let cache = models::cache_folder().map_err(Failure::setup)?;
    let mut told = Vec::new();
    let is_complete = machine::on_runtime(async {
        tokio::select! {
            complete = crate::setup::doctor(args, (&catalogue, &cache), &mut told) => {
                complete.map(Some).map_err(Failure::setup)
            }
            () = machine::interrupted() => Ok(None),
        }
    })?;
    let Some(is_complete) = is_complete else { return Ok(Exit::Interrupted) };
    say(String::from_utf8_lossy(&told))?;
    Ok(if is_complete { Exit::Expected } else { Exit::Setup })
}

pub(crate) fn setup(args: &SetupArgs) -> Answer {
    let is_complete = machine::on_runtime(async {
        let stopped = async || machine::interrupted().await;
        // Data goes to standard output, and a set-up has none.
        let told = crate::setup::setup(args, &mut anstream::stderr(), &stopped).await;
        told.map_err(|error| {
            let mut failure = Failure::setup(&error);
            if error.is_interrupted() {
                failure.exit = Exit::Interrupted;
            }
            failure
        })
    })?;
    Ok(if is_complete { Exit::Expected } else { Exit::Setup })
}
