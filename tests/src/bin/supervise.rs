//! The supervisor as a program of its own, so that tests need no whole `tierproof`.

use std::process::ExitCode;

use tierproof::browser::supervise::{SUBCOMMAND, supervise};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|word| word == SUBCOMMAND) {
        supervise(args)
    } else {
        ExitCode::from(2)
    }
}
