#![doc = "Runs some cells of a matrix and prints their verdicts."]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

use std::process::ExitCode;

use tierproof::lab::{Filter, Lab, LabError, Options, Project, supervise_if_asked};

#[tokio::main]
async fn main() -> Result<ExitCode, LabError> {
    if let Some(code) = supervise_if_asked() {
        return Ok(code);
    }
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "matrices/default.toml".to_owned());
    let filter = arguments.next().unwrap_or_else(|| "browser=chrome scenario=tokens/*".to_owned());

    let lab = Lab::open(Project::find(None)?)?;
    let matrix = lab.matrix(path)?;
    let plan = lab.plan(&matrix, &[Filter::parse(&filter)?])?;
    let run = lab.prepare(&matrix, &plan, Options::default(), &mut |line| eprintln!("{line}"))?;
    let mut sink = |event: &_| eprintln!("{event:?}");
    let finished = run.start(std::future::pending(), &mut sink).await?;
    for (cell, verdict) in &finished.verdicts {
        println!("{cell}: {}", verdict.name());
    }
    Ok(finished.exit.into())
}
