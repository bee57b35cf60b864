//! Arguments that several subcommands take, and parsers for clap.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use inference_wasm::protocol::{BackendName, SeededFault};

use super::failure::Failure;
use crate::lab::{Lab, Overrides, Project};
use crate::plan::{Filter, GRAMMAR};
use crate::run::Mutant;
use crate::spec::bundle::{BundleChoice, BundleWord, MOST_THREADS};
use crate::spec::cell::{BrowserName, UnknownName, parse_backend};
use crate::spec::launch::{Gpu, LaunchProfile};

/// Narrows a matrix.
#[derive(Debug, Clone, Args)]
pub(super) struct NarrowArgs {
    /// Only cells that match, as in 'browser=chrome,firefox scenario=tokens/*'; repeatable
    #[arg(long, value_name = "EXPR", long_help = GRAMMAR)]
    filter: Vec<String>,
    /// Only these browsers
    #[arg(long, value_delimiter = ',', value_parser = browser)]
    browser: Vec<BrowserName>,
    /// Only these backends
    #[arg(long, value_delimiter = ',', value_parser = backend)]
    backend: Vec<BackendName>,
    /// Only these models; globs work
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    model: Vec<String>,
    /// Only these scenarios; globs work
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    scenario: Vec<String>,
}

impl NarrowArgs {
    /// All options as filters, every one of which has to match.
    pub(super) fn filters(&self) -> Result<Vec<Filter>, Failure> {
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

/// How browsers are launched.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct LaunchArgs {
    /// Show the browsers' windows
    #[arg(long)]
    pub(super) headed: bool,
    /// Use this driver: NAME is chrome, firefox, webkit or safari
    #[arg(long = "driver", value_name = "NAME=PATH")]
    drivers: Vec<String>,
    /// Serve this folder of bundles instead of building one
    #[arg(long, value_name = "DIR", env = "TIERPROOF_BUNDLE_DIR")]
    bundle_dir: Option<PathBuf>,
}

impl LaunchArgs {
    /// Opens the project with these drivers and bundles.
    pub(super) fn lab(&self, project: &Project) -> Result<Lab, Failure> {
        let lab = Lab::with_drivers(project.clone(), overrides(&self.drivers)?)?;
        Ok(lab.serving(self.bundle_dir.clone()))
    }
}

/// Parses the values of `--driver`.
pub(super) fn overrides(drivers: &[String]) -> Result<Overrides, Failure> {
    let mut overrides = Overrides::default();
    for driver in drivers {
        overrides.add(driver).map_err(Failure::invalid)?;
    }
    Ok(overrides)
}

/// The GPU for a subcommand that reads no matrix.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(super) struct GpuArgs {
    /// The GPU of browsers: `hardware` for the machine's own, by flags where a browser has them;
    /// `any` for the browser's choice, which is often software
    #[arg(long, value_name = "WHICH", value_parser = gpu(), default_value = Gpu::Any.as_str())]
    gpu: Gpu,
}

impl GpuArgs {
    /// How a browser is launched.
    pub(super) fn profile(self, browser: BrowserName, launch: &LaunchArgs) -> LaunchProfile {
        LaunchProfile { gpu: self.gpu, ..LaunchProfile::new(browser, launch.headed) }
    }
}

/// Which bundle pages load.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(super) struct BundleArgs {
    /// The only bundle that pages load: scalar, base, relaxed or threads; with `auto` each page takes
    /// the best that its browser runs [default: the matrix's, or auto]
    #[arg(long, value_name = "NAME")]
    bundle: Option<BundleWord>,
    /// Threads to compute with; more than one needs `--bundle threads`, or `auto` and a browser with
    /// threads [default: the matrix's, or 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_THREADS)))]
    threads: Option<u32>,
}

impl BundleArgs {
    /// These options, completed by the default.
    pub(super) fn choice(self, default: BundleChoice) -> Result<BundleChoice, Failure> {
        let bundle = self.bundle.map_or(default.bundle, |word| word.0);
        BundleChoice::new(bundle, self.threads.unwrap_or(default.threads)).map_err(Failure::invalid)
    }
}

/// Parses a browser's name for clap.
pub(super) fn browser(text: &str) -> Result<BrowserName, UnknownName> {
    text.parse()
}

/// Parses a backend's name for clap.
pub(super) fn backend(text: &str) -> Result<BackendName, UnknownName> {
    parse_backend(text)
}

/// Parses a GPU's name for clap.
fn gpu() -> impl TypedValueParser<Value = Gpu> {
    PossibleValuesParser::new(Gpu::ALL.map(Gpu::as_str))
        .map(|name| Gpu::ALL.into_iter().find(|gpu| gpu.as_str() == name).unwrap_or_default())
}

/// Parses the name of a seeded fault, the engine's or the client's, for clap.
pub(super) fn seeded(text: &str) -> Result<Mutant, String> {
    fault_of(Mutant::all(), text)
}

/// Parses the name of a seeded fault of the engine, where no client runs, for clap.
pub(super) fn fault(text: &str) -> Result<SeededFault, String> {
    fault_of(Mutant::all().filter_map(Mutant::engine), text)
}

/// The fault with this name.
fn fault_of<F: Copy + Into<Mutant>>(all: impl Iterator<Item = F>, text: &str) -> Result<F, String> {
    let all: Vec<_> = all.map(|fault| (fault.into().as_str(), fault)).collect();
    all.iter().find(|(name, _)| *name == text).map(|(_, fault)| *fault).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|(name, _)| *name).collect();
        format!("unknown fault `{text}`, expected one of {}", names.join(", "))
    })
}
