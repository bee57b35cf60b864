//! The supervisor as a program of its own, so that tests need no whole `tierproof`, and a parent
//! for it that tests can kill.

use std::process::ExitCode;

use tierproof::drive::browser::supervise::{Program, SUBCOMMAND, Supervisor, supervise};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args.next() {
        Some(word) if word == SUBCOMMAND => supervise(args),
        Some(word) if word == "hold" => hold(args),
        _ => ExitCode::from(2),
    }
}

/// `hold LOG PROGRAM ARGS…`: starts a supervised program and waits for ever.
#[tokio::main(flavor = "current_thread")]
async fn hold(mut args: impl Iterator<Item = std::ffi::OsString>) -> ExitCode {
    let (Some(log), Some(path)) = (args.next(), args.next()) else {
        return ExitCode::from(2);
    };
    let program = Program {
        path: path.into(),
        args: args.collect(),
        env: Vec::new(),
        without_env: Vec::new(),
        log: log.into(),
    };
    let supervisor = Supervisor::this_executable();
    match supervisor.and_then(|supervisor| supervisor.spawn(&program)) {
        Ok(_supervised) => std::future::pending().await,
        Err(_) => ExitCode::from(4),
    }
}
