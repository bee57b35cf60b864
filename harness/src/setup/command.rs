//! `tierproof doctor` and `tierproof setup`.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use futures::future::join_all;

use super::check::{Finding, State, check};
use super::machine::{ThisMachine, workspace_folder};
use super::models;
use super::perform::{SetupError, perform};
use super::plan::{Plan, StepKind, plan};
use super::requirement::{Finder, Purpose};
use super::show::{Doctor, Versions, print_plan};
use crate::fetch::models::Catalogue;

/// How long a program may take to tell its version.
const VERSION_LIMIT: Duration = Duration::from_secs(10);

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
    /// What for.
    #[arg(long = "for", value_name = "PURPOSE", default_value = "run")]
    purpose: Purpose,
    /// Install without asking; so does `CI=true`.
    #[arg(long)]
    yes: bool,
    /// Print what would be run, and run nothing.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Get the optional things too.
    #[arg(long)]
    optional: bool,
    /// Say nothing when nothing is missing.
    #[arg(long)]
    quiet: bool,
    /// Call it done even if something could not be had: a run without it says so itself.
    #[arg(long)]
    best_effort: bool,
}

/// Prints what is found here, what is missing and what mends it.
///
/// Gives whether everything is here that `tierproof run` needs and that this platform can have.
/// `cache` is where fetched models are.
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

/// Gets what is missing. Talks to `out`, which should be standard error.
///
/// Gives whether nothing that the purpose needs, and that this platform can have, is missing now.
/// `stopped` resolves when the user wants it to end; it may be asked for more than once.
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
            writeln!(out, "everything is here for `{}`", arguments.purpose.name())?;
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
        // With lists, apt knows what it has, and something may be had another way.
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
            writeln!(out, "{} can't be had: {reason}", finding.requirement.title)?;
        }
    }
    Ok(())
}

fn consent(arguments: &SetupArgs, plan: &Plan, findings: &[Finding]) -> Result<(), SetupError> {
    if plan.steps.is_empty() || arguments.yes || crate::spec::environment::is_ci() {
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
        writeln!(out, "everything is here for `{}`", purpose.name())
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
            if let (Finder::Program { version, .. }, Some(path)) = (part.finder, path)
                && !version.is_empty()
            {
                questions.push(async move { Some((path.clone(), ask(path, version).await?)) });
            }
        }
    }
    join_all(questions).await.into_iter().flatten().collect()
}

async fn ask(program: &Path, argument: &str) -> Option<String> {
    let output = tokio::process::Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(VERSION_LIMIT, output).await.ok()?.ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.contains(|c: char| c.is_ascii_digit()))?;
    Some(line.trim().to_owned())
}
