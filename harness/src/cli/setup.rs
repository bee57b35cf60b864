//! `tierproof doctor` and `tierproof setup`; the work is in [`crate::setup`].

use super::failure::{Answer, Failure, say};
use super::runtime;
use crate::lab::Project;
use crate::run::exit::Exit;
pub(crate) use crate::setup::{DoctorArgs, SetupArgs};

pub(super) fn doctor(project: &Project, args: &DoctorArgs) -> Answer {
    let catalogue = project.catalogue()?;
    let cache = Project::cache()?;
    let mut text = Vec::new();
    let is_complete = runtime::on_runtime(async {
        tokio::select! {
            complete = crate::setup::doctor(args, (&catalogue, &cache), &mut text) => {
                complete.map(Some).map_err(Failure::setup)
            }
            () = runtime::interrupted() => Ok(None),
        }
    })?;
    let Some(is_complete) = is_complete else { return Ok(Exit::Interrupted) };
    say(String::from_utf8_lossy(&text))?;
    Ok(if is_complete { Exit::Expected } else { Exit::Setup })
}

pub(super) fn setup(args: &SetupArgs) -> Answer {
    let is_complete = runtime::on_runtime(async {
        let stopped = async || runtime::interrupted().await;
        // Standard output is for data, and a set-up has none.
        let finished = crate::setup::setup(args, &mut anstream::stderr(), &stopped).await;
        finished.map_err(|error| {
            let mut failure = Failure::setup(&error);
            if error.is_interrupted() {
                failure.exit = Exit::Interrupted;
            }
            failure
        })
    })?;
    Ok(if is_complete { Exit::Expected } else { Exit::Setup })
}
