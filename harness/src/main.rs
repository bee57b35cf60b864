//! The `tierproof` command.

use std::process::ExitCode;

use clap::Parser;
use tierproof::setup;

#[derive(Parser)]
enum Command {
    /// Say what is found on this machine, what is missing and what mends it.
    Doctor(setup::DoctorArgs),
    /// Get what is missing.
    Setup(setup::SetupArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Doctor(arguments) => setup::doctor(&arguments, &mut anstream::stdout()).await,
        Command::Setup(arguments) => setup::setup(&arguments, &mut anstream::stderr()).await,
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(4),
        Err(error) => {
            anstream::eprintln!("error: {error}");
            ExitCode::from(4)
        }
    }
}
