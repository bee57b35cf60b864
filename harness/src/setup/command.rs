//! `tierproof doctor` and `tierproof setup`.

use std::io::{IsTerminal, Write};
use std::path::Path;

use futures::future::join_all;

use super::check::{Finding, State, check};
use super::machine::{ThisMachine, workspace_folder};
use super::models;
use super::perform::{SetupError, perform};
use super::plan::{Plan, StepKind, plan};
use super::requirement::{Finder, Purpose};
use super::show::{Doctor, Versions, print_plan};
use crate::drive::browser::version_of;
use crate::fetch::models::Catalogue;

/// `tierproof doctor`.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// `tierproof setup`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct SetupArgs {
    /// What to prepare this machine for.
    #[arg(long = "for", value_name = "PURPOSE", default_value = "run")]
    purpose: Purpose,
    /// Install without asking, as `CI=true` does.
    #[arg(long)]
    yes: bool,
    /// Print the commands without running them.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Install optional parts too.
    #[arg(long)]
    optional: bool,
    /// Print nothing when nothing is missing.
    #[arg(long)]
    quiet: bool,
    /// Succeed even if something can't be installed; a run reports what it lacks.
    #[arg(long)]
    best_effort: bool,
}

/// Prints what is found, what is missing and how to install it.
///
/// Returns whether everything that `tierproof run` needs, and that this platform can have, is
/// installed. `cache` is the folder of fetched models.
pub async fn doctor(
    arguments: &DoctorArgs,
    (catalogue, cache): (&Catalogue, &Path),
    out: &mut dyn Write,
) -> Result<bool, SetupError> {
    let machine = ThisMachine::look();
    let findings = check(&machine, &Purpose::ALL);
    let models = models::rows(catalogue, cache);
    let doctor = Doctor::new(&machine, &findings, &versions(&findings).await, models);
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &doctor).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        doctor.print(out)?;
    }
    Ok(doctor.is_ready_to_run())
}

/// Installs what is missing. Prints to `out`, which should be standard error.
///
/// Returns whether everything that the purpose needs, and that this platform can have, is
/// installed now. `stopped` resolves when the user interrupts; it may be awaited more than once.
pub async fn setup(
    arguments: &SetupArgs,
    out: &mut dyn Write,
    stopped: &impl AsyncFn(),
) -> Result<bool, SetupError> {
    let machine = ThisMachine::look();
    let look = || {
        let mut findings = check(&machine, &[arguments.purpose]);
        findings.retain(|finding| arguments.optional || !finding.requirement.optional);
        findings
    };
    let mut findings = look();
    if findings.iter().all(|finding| finding.missing().next().is_none()) {
        if !arguments.quiet {
            print_impossible(&findings, out)?;
            writeln!(out, "everything for `{}` is installed", arguments.purpose.name())?;
        }
        return Ok(true);
    }
    let root = workspace_folder();
    let mut todo = plan(&machine, &findings, &root);
    print_impossible(&findings, out)?;
    print_plan(&todo, out)?;
    if arguments.dry_run {
        return Ok(false);
    }
    consent(arguments, &todo, &findings)?;

    let mut failures = Vec::new();
    if let Some(first) = todo.steps.first().filter(|step| step.kind == StepKind::PackageLists) {
        let lists = Plan { steps: vec![first.clone()], by_hand: Vec::new() };
        failures.extend(perform(&machine, &lists, out, stopped).await?);
        // Only now does apt know its packages; what it lacks may be installed another way.
        todo = plan(&machine, &findings, &root);
        todo.steps.retain(|step| step.kind != StepKind::PackageLists);
    }
    failures.extend(perform(&machine, &todo, out, stopped).await?);

    findings = look();
    summarise(arguments.purpose, &findings, &failures, out)?;
    let is_complete = findings.iter().all(|finding| finding.missing().next().is_none());
    Ok(is_complete || arguments.best_effort)
}

fn print_impossible(findings: &[Finding], out: &mut dyn Write) -> std::io::Result<()> {
    for finding in findings {
        if let State::Impossible(reason) = finding.state {
            writeln!(out, "{} is unavailable: {reason}", finding.requirement.title)?;
        }
    }
    Ok(())
}

fn consent(arguments: &SetupArgs, plan: &Plan, findings: &[Finding]) -> Result<(), SetupError> {
    if plan.steps.is_empty() || arguments.yes || crate::spec::environment::ci_agrees() {
        return Ok(());
    }
    let missing = || {
        let names: Vec<_> = findings.iter().flat_map(Finding::missing).collect();
        names.iter().map(|part| format!("`{}`", part.name)).collect::<Vec<_>>().join(", ")
    };
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(SetupError::NotAsked { missing: missing() });
    }
    let is_yes =
        dialoguer::Confirm::new().with_prompt("install it now?").default(true).interact()?;
    if is_yes { Ok(()) } else { Err(SetupError::Declined { missing: missing() }) }
}

fn summarise(
    purpose: Purpose,
    findings: &[Finding],
    failures: &[String],
    out: &mut dyn Write,
) -> std::io::Result<()> {
    writeln!(out)?;
    for failure in failures {
        writeln!(out, "failed: {failure}")?;
    }
    let missing: Vec<_> =
        findings.iter().flat_map(Finding::missing).map(|part| part.name).collect();
    if missing.is_empty() {
        writeln!(out, "everything for `{}` is installed", purpose.name())
    } else {
        writeln!(out, "still missing: {}", missing.join(", "))
    }
}

/// Asks every program that was found for its version, all at once.
async fn versions(findings: &[Finding]) -> Versions {
    let mut questions = Vec::new();
    for finding in findings {
        let State::Possible(parts) = &finding.state else { continue };
        for (part, path) in parts {
            if let (Finder::Program(_) | Finder::Driver(_) | Finder::Browser(_), Some(path)) =
                (part.finder, path)
            {
                questions.push(async move { Some((path.clone(), version_of(path).await?)) });
            }
        }
    }
    join_all(questions).await.into_iter().flatten().collect()
}
