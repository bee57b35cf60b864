//! The command line: arguments, dispatch, exit codes.
//!
//! Each subcommand has a file of its own that gathers what the library needs and calls it; what a
//! subcommand means lives in the library.

mod bench;
mod bundle;
mod generate;
mod golden;
mod machine;
mod models;
mod ops;
mod plan;
mod probe;
mod recovery;
mod report;
mod run;
mod serve;
mod setup;
mod wasm_test;
mod workspace;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::drive::browser::supervise;
use crate::plan::{Filter, GRAMMAR};
use crate::run::Mutant;
use crate::run::exit::Exit;
use crate::spec::bundle::BundleWord;
use crate::spec::bundle::{BundleChoice, MOST_THREADS};
use crate::spec::cell::{BrowserName, UnknownName, parse_backend};
use crate::spec::launch::{Gpu, LaunchProfile};
use inference_wasm::protocol::{BackendName, SeededFault};

const AFTER_HELP: &str = "\
Exit codes:
  0    everything came out as expected
  1    a wrong answer, an unexpected pass, or a flaky cell
  2    wrong arguments, matrix or configuration
  3    nothing ran, or a floor of the matrix was missed
  4    set-up or infrastructure trouble
  130  stopped by the user

Examples:
  tierproof doctor                                what is here, what is missing
  tierproof run                                   matrices/default.toml on every browser
  tierproof run --filter 'browser=firefox scenario=tokens/*'
  tierproof generate --browser chrome --backend wasm --model scribe-low-Q8_0 \\
                     --prompt 'Sentiment: I love this lamp.'";

/// Proves that AI inference in the browser gives the right answer on every tier.
#[derive(Debug, Parser)]
#[command(name = "tierproof", version, after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    /// Say more; twice for debug messages
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// The folder with matrices/, fixtures/ and golden/ [default: found from here upwards]
    #[arg(long, global = true, value_name = "DIR", env = "TIERPROOF_ROOT")]
    root: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a matrix and judge every cell
    Run(run::RunArgs),
    /// Show which cells a matrix makes, and what is expected of each
    Plan(plan::PlanArgs),
    /// Run prompts on one browser and backend, without a matrix
    Generate(generate::GenerateArgs),
    /// Answer requests over HTTP: the server tier, and the control plane of hybrid clients
    Serve(serve::ServeArgs),
    /// Measure engines side by side: ours, peers, and our own earlier figures
    Bench(bench::BenchArgs),
    /// Hold every op of a backend against the scalar reference; needs no model
    Ops(ops::OpsArgs),
    /// Show what browsers can do here
    Probe(probe::ProbeArgs),
    /// Crash a browser's GPU process again and again, and time how the hybrid client recovers
    Recovery(recovery::RecoveryArgs),
    /// Render logs of runs again, or merge those of shards
    Report(report::ReportArgs),
    /// List, fetch and verify models
    #[command(subcommand)]
    Models(models::ModelsCommand),
    /// Check goldens, or make them with the independent reference
    #[command(subcommand)]
    Golden(golden::GoldenCommand),
    /// Show what is installed, what is missing, and how to mend it
    Doctor(setup::DoctorArgs),
    /// Install what is missing
    Setup(setup::SetupArgs),
    /// Build the bundles that pages load, and show how large they are
    Bundle(bundle::BuildArgs),
    /// Print the JSON Schema of a matrix
    Schema,
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Run the engine's own tests inside of browsers
    #[command(name = "wasm-test")]
    WasmTest(wasm_test::WasmTestArgs),
    /// The runner of wasm-bindgen tests, for cargo
    #[command(name = wasm_test::RUNNER, hide = true)]
    WasmTestRunner {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

/// Which cells of a matrix, besides all of them.
#[derive(Debug, Clone, Args)]
pub(crate) struct NarrowArgs {
    /// Only cells that match, as in 'browser=chrome,firefox scenario=tokens/*'; may be repeated
    #[arg(long, value_name = "EXPR", long_help = GRAMMAR)]
    filter: Vec<String>,
    /// Only these browsers
    #[arg(long, value_delimiter = ',', value_parser = browser)]
    browser: Vec<BrowserName>,
    /// Only these backends
    #[arg(long, value_delimiter = ',', value_parser = backend)]
    backend: Vec<BackendName>,
    /// Only these models; globs are fine
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    model: Vec<String>,
    /// Only these scenarios; globs are fine
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    scenario: Vec<String>,
}

impl NarrowArgs {
    /// All of it as filters; every one has to hold.
    fn filters(&self) -> Result<Vec<Filter>, Failure> {
        let axis = |name: &str, values: Vec<String>| {
            (!values.is_empty()).then(|| format!("{name}={}", values.join(",")))
        };
        let names = |values: &[BrowserName]| values.iter().map(ToString::to_string).collect();
        let backends = self.backend.iter().map(ToString::to_string).collect();
        let expressions = [
            axis("browser", names(&self.browser)),
            axis("backend", backends),
            axis("model", self.model.clone()),
            axis("scenario", self.scenario.clone()),
        ];
        let expressions = self.filter.iter().cloned().chain(expressions.into_iter().flatten());
        expressions.map(|text| Filter::parse(&text).map_err(Failure::usage)).collect()
    }
}

/// Where and how browsers are launched.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct LaunchArgs {
    /// Show the browsers' windows
    #[arg(long)]
    headed: bool,
    /// Use this driver: NAME is chrome, firefox, webkit or safari
    #[arg(long = "driver", value_name = "NAME=PATH")]
    drivers: Vec<String>,
    /// Serve this folder of bundles instead of building one
    #[arg(long, value_name = "DIR", env = "TIERPROOF_BUNDLE_DIR")]
    bundle_dir: Option<PathBuf>,
}

/// The GPU for a subcommand that reads no matrix.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct GpuArgs {
    /// The GPU that browsers are launched for: hardware for the machine's own, by flags where a
    /// browser has them; any for what a browser takes by itself, which is often software
    #[arg(long, value_name = "WHICH", value_parser = gpu(), default_value = Gpu::Any.as_str())]
    gpu: Gpu,
}

impl GpuArgs {
    /// How a browser is launched.
    fn profile(self, browser: BrowserName, launch: &LaunchArgs) -> LaunchProfile {
        LaunchProfile { gpu: self.gpu, ..LaunchProfile::new(browser, launch.headed) }
    }
}

/// Which bundle pages load.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct BundleArgs {
    /// The bundle that pages load, and no other: scalar, base, relaxed or threads; with `auto`
    /// each takes the best that its browser runs [default: the matrix's, or auto]
    #[arg(long, value_name = "NAME")]
    bundle: Option<BundleWord>,
    /// Threads to compute with; more than one takes `--bundle threads`, or `auto` and a browser
    /// that has them [default: the matrix's, or 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_THREADS)))]
    threads: Option<u32>,
}

impl BundleArgs {
    /// What was said here, and where nothing was, what holds by default.
    fn choice(self, default: BundleChoice) -> Result<BundleChoice, Failure> {
        let bundle = self.bundle.map_or(default.bundle, |word| word.0);
        BundleChoice::new(bundle, self.threads.unwrap_or(default.threads))
            .map_err(|error| Failure::usage(miette::miette!("{error}")))
    }
}

/// Why a subcommand could not do its work, and how the command ends for it.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    report: miette::Report,
}

impl Failure {
    /// Wrong arguments, matrix or configuration.
    fn usage(report: impl Into<miette::Report>) -> Self {
        Self { exit: Exit::Usage, report: report.into() }
    }

    /// Set-up or infrastructure trouble.
    fn setup(error: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Setup, report: miette::Report::msg(error.to_string()) }
    }
}

type Answer = Result<Exit, Failure>;

/// Runs the command with the arguments of the process.
pub fn main() -> std::process::ExitCode {
    // Before anything else: a supervisor takes no part in the rest of the command.
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|word| word == supervise::SUBCOMMAND) {
        return supervise::supervise(args);
    }
    // clap prints help and errors itself, and ends with the documented code of wrong arguments.
    let cli = Cli::parse();
    // A server has nothing else to show for what it does.
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
    let workspace = || workspace::Workspace::find(cli.root.as_deref());
    match cli.command {
        Command::Run(args) => run::run(&workspace()?, &args, cli.verbose),
        Command::Plan(args) => plan::run(&workspace()?, &args),
        Command::Generate(args) => generate::run(&workspace()?, &args),
        Command::Serve(args) => serve::run(&workspace()?, &args),
        Command::Bench(args) => bench::run(&workspace()?, &args),
        Command::Ops(args) => ops::run(&workspace()?, &args),
        Command::Probe(args) => probe::run(&workspace()?, &args),
        Command::Recovery(args) => recovery::run(&workspace()?, &args),
        Command::Report(args) => report::run(&args, cli.verbose),
        Command::Models(command) => models::run(&workspace()?, &command),
        Command::Golden(command) => golden::run(&workspace()?, &command),
        Command::Doctor(args) => setup::doctor(&workspace()?, &args),
        Command::Setup(args) => setup::setup(&args),
        Command::Bundle(args) => bundle::run(&workspace()?, &args),
        Command::Schema => {
            let schema = serde_json::to_string_pretty(&crate::spec::matrix::schema());
            say(format!("{}\n", schema.map_err(Failure::setup)?))?;
            Ok(Exit::Expected)
        }
        Command::Completions { shell } => {
            // Into memory first: the generator panics where it can't write.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "tierproof", &mut script);
            say(String::from_utf8_lossy(&script))?;
            Ok(Exit::Expected)
        }
        Command::WasmTest(args) => wasm_test::run(&workspace()?, &args),
        Command::WasmTestRunner { args } => bundle::test_runner(args),
    }
}

/// Writes to standard output. A reader that has had enough (`tierproof plan | head`) is no
/// trouble; a disk that is full is.
fn say(text: impl AsRef<str>) -> Result<(), Failure> {
    let mut stdout = anstream::stdout();
    let written = stdout.write_all(text.as_ref().as_bytes()).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::setup(format!("can't write to standard output: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
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

/// Parses a browser's name for clap.
fn browser(text: &str) -> Result<BrowserName, UnknownName> {
    text.parse()
}

/// Parses a backend's name for clap.
fn backend(text: &str) -> Result<BackendName, UnknownName> {
    parse_backend(text)
}

/// Parses a GPU's name for clap.
fn gpu() -> impl TypedValueParser<Value = Gpu> {
    PossibleValuesParser::new(Gpu::ALL.map(Gpu::as_str))
        .map(|name| Gpu::ALL.into_iter().find(|gpu| gpu.as_str() == name).unwrap_or_default())
}

/// Parses the name of a seeded fault, the engine's or the client's, for clap.
fn seeded(text: &str) -> Result<Mutant, String> {
    fault_of(Mutant::all(), text)
}

/// Parses the name of a seeded fault of the engine, where no client runs, for clap.
fn fault(text: &str) -> Result<SeededFault, String> {
    fault_of(Mutant::all().filter_map(Mutant::engine), text)
}

/// The one of these faults that has this name.
fn fault_of<F: Copy + Into<Mutant>>(all: impl Iterator<Item = F>, text: &str) -> Result<F, String> {
    let all: Vec<_> = all.map(|fault| (fault.into().as_str(), fault)).collect();
    all.iter().find(|(name, _)| *name == text).map(|(_, fault)| *fault).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|(name, _)| *name).collect();
        format!("unknown fault `{text}`, expected one of {}", names.join(", "))
    })
}
