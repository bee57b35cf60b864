//! The command line: arguments, dispatch, exit codes.
//!
//! Each subcommand has its own file, which parses arguments, calls the library and prints.

mod arguments;
mod bench;
mod bundle;
mod failure;
mod generate;
mod golden;
mod models;
mod ops;
mod plan;
mod probe;
mod recovery;
mod report;
mod run;
mod runtime;
mod serve;
mod setup;
mod wasm_test;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::lab::{Project, supervise_if_asked};
use crate::run::exit::Exit;
use failure::{Answer, Failure, say};

const AFTER_HELP: &str = "\
Exit codes:
  0    every result is as expected
  1    a wrong answer, an unexpected pass, or a flaky cell
  2    wrong arguments, matrix or configuration
  3    nothing ran, or a floor of the matrix was missed
  4    set-up or infrastructure trouble
  130  interrupted by the user

Examples:
  tierproof doctor                                what is installed, what is missing
  tierproof run                                   matrices/default.toml on every browser
  tierproof run --filter 'browser=firefox scenario=tokens/*'
  tierproof generate --browser chrome --backend wasm --model scribe-low-Q8_0 \\
                     --prompt 'Sentiment: I love this lamp.'";

/// Proves that AI inference in the browser gives the right answer on every tier.
#[derive(Debug, Parser)]
#[command(name = "tierproof", version, after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    /// Print more; twice for debug messages
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// The folder with matrices/, fixtures/ and golden/ [default: the nearest in or above the
    /// current folder]
    #[arg(long, global = true, value_name = "DIR", env = "TIERPROOF_ROOT")]
    root: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a matrix and judge every cell
    Run(run::RunArgs),
    /// Show the cells of a matrix, and what is expected of each
    Plan(plan::PlanArgs),
    /// Run prompts on one browser and backend, without a matrix
    Generate(generate::GenerateArgs),
    /// Answer requests over HTTP: the server tier and control plane of hybrid clients
    Serve(serve::ServeArgs),
    /// Measure engines side by side: ours, peers, and our earlier results
    Bench(bench::BenchArgs),
    /// Compare every op of a backend with the scalar reference; needs no model
    Ops(ops::OpsArgs),
    /// Show the capabilities of the installed browsers
    Probe(probe::ProbeArgs),
    /// Crash a browser's GPU process repeatedly, and time the recovery of the hybrid client
    Recovery(recovery::RecoveryArgs),
    /// Render the reports of logged runs, or merge the logs of shards
    Report(report::ReportArgs),
    /// List, fetch and verify models
    #[command(subcommand)]
    Models(models::ModelsCommand),
    /// Check goldens, or generate them with the independent reference
    #[command(subcommand)]
    Golden(golden::GoldenCommand),
    /// Show what is installed, what is missing, and how to install it
    Doctor(setup::DoctorArgs),
    /// Install what is missing
    Setup(setup::SetupArgs),
    /// Build the bundles that pages load, and show their sizes
    Bundle(bundle::BuildArgs),
    /// Print the JSON Schema of a matrix
    Schema,
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Run the engine's own tests in browsers
    #[command(name = "wasm-test")]
    WasmTest(wasm_test::WasmTestArgs),
    /// The runner of wasm-bindgen tests, for cargo
    #[command(name = wasm_test::RUNNER, hide = true)]
    WasmTestRunner {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

/// Runs the command with the arguments of the process.
pub fn main() -> std::process::ExitCode {
    if let Some(code) = supervise_if_asked() {
        return code;
    }
    // clap prints help and errors, and exits with the documented code.
    let cli = Cli::parse();
    // A server has no other output.
    let says_more = u8::from(matches!(cli.command, Command::Serve(_)));
    init_tracing(cli.verbose.saturating_add(says_more));
    let exit = match dispatch(cli) {
        Ok(exit) => exit,
        Err(Failure { exit, report }) => {
            anstream::eprintln!("{report:?}");
            exit
        }
    };
    exit.into()
}

fn dispatch(cli: Cli) -> Answer {
    let project = || Project::find(cli.root.as_deref());
    match cli.command {
        Command::Run(args) => run::run(&project()?, &args, cli.verbose),
        Command::Plan(args) => plan::run(&project()?, &args),
        Command::Generate(args) => generate::run(&project()?, &args),
        Command::Serve(args) => serve::run(&project()?, &args),
        Command::Bench(args) => bench::run(&project()?, &args),
        Command::Ops(args) => ops::run(&project()?, &args),
        Command::Probe(args) => probe::run(&project()?, &args),
        Command::Recovery(args) => recovery::run(&project()?, &args),
        Command::Report(args) => report::run(&args, cli.verbose),
        Command::Models(command) => models::run(&project()?, &command),
        Command::Golden(command) => golden::run(&project()?, &command),
        Command::Doctor(args) => setup::doctor(&project()?, &args),
        Command::Setup(args) => setup::setup(&args),
        Command::Bundle(args) => bundle::run(&project()?, &args),
        Command::Schema => {
            let schema = serde_json::to_string_pretty(&crate::spec::matrix::schema());
            say(format!("{}\n", schema.map_err(Failure::setup)?))?;
            Ok(Exit::Expected)
        }
        Command::Completions { shell } => {
            // Into memory first, since the generator panics if it can't write.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "tierproof", &mut script);
            say(String::from_utf8_lossy(&script))?;
            Ok(Exit::Expected)
        }
        Command::WasmTest(args) => wasm_test::run(&project()?, &args),
        Command::WasmTestRunner { args } => bundle::test_runner(args),
    }
}

fn init_tracing(verbose: u8) {
    let default = match verbose {
        0 => "warn",
        1 => "tierproof=info,warn",
        _ => "tierproof=debug,info",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("TIERPROOF_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .init();
}
