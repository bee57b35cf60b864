//! A matrix as written: the keys of the TOML file, with their places.
//!
//! [`super::resolve`] looks the names up. Editors show the doc comments, through the JSON Schema
//! that is generated from these types. `matrices/default.toml` is the manual.

use std::time::Duration;

use inference_wasm::protocol::BackendName;
use jiff::civil::Date;
use schemars::JsonSchema;
use toml::Spanned;

use crate::spec::adapter::AdapterDemand;
use crate::spec::cell::BrowserName;
use crate::spec::launch::Gpu;
use crate::spec::tolerance::ToleranceClass;

/// A matrix of tierproof: browsers × backends × engines × models × scenarios.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case", title = "tierproof matrix")]
pub(crate) struct MatrixSpec {
    /// The browsers to drive.
    #[schemars(with = "Vec<BrowserName>")]
    pub(crate) browsers: Vec<Spanned<BrowserName>>,
    /// The backends to force, one at a time.
    #[schemars(with = "Vec<BackendName>")]
    pub(crate) backends: Vec<Spanned<BackendName>>,
    /// The engines under test. Default: `["tierproof"]`.
    #[schemars(with = "Option<Vec<String>>")]
    pub(crate) engines: Option<Vec<Spanned<String>>>,
    /// Names of models in the catalogue, or globs over them.
    #[schemars(with = "Vec<String>")]
    pub(crate) models: Vec<Spanned<String>>,
    /// Names of scenarios, or globs over them.
    #[schemars(with = "Vec<String>")]
    pub(crate) scenarios: Vec<Spanned<String>>,
    /// Cells in addition to the product. An axis that is left out is that of the matrix.
    #[schemars(with = "Option<Vec<IncludeSpec>>")]
    pub(crate) include: Vec<Spanned<IncludeSpec>>,
    /// Cells to leave out.
    #[schemars(with = "Option<Vec<ExcludeSpec>>")]
    pub(crate) exclude: Vec<Spanned<ExcludeSpec>>,
    /// The cells that must have run for a run to count.
    pub(crate) require: Option<RequireSpec>,
    /// How long each phase may take.
    pub(crate) timeouts: Option<TimeoutsSpec>,
    /// The price of requests, for the table of routes.
    pub(crate) routing: Option<RoutingSpec>,
    /// How often a cell is retried after trouble of the harness itself. Default: 1.
    #[schemars(with = "Option<u32>", range(max = 5))]
    pub(crate) retries: Option<Spanned<u32>>,
    /// How many browsers run at a time. Default: 1.
    #[schemars(with = "Option<u32>", range(min = 1, max = 64))]
    pub(crate) jobs: Option<Spanned<u32>>,
    /// The bundle that pages load: `scalar`, `base`, `relaxed`, `threads`, or `auto` for the best one
    /// that a browser can run. Default: `auto`.
    #[schemars(with = "Option<String>", extend("enum" = ["auto", "scalar", "base", "relaxed", "threads"]))]
    pub(crate) bundle: Option<Spanned<String>>,
    /// Threads to compute with. More than one needs the bundle `threads`, or `auto`. Default: 1.
    #[schemars(with = "Option<u32>", range(min = 1, max = 64))]
    pub(crate) threads: Option<Spanned<u32>>,
    /// The GPU that browsers are launched for: `hardware` asks for the machine's own, in browsers that
    /// have flags for it. Default: `any`.
    #[schemars(with = "Option<String>", extend("enum" = ["any", "hardware"]))]
    pub(crate) gpu: Option<Spanned<Gpu>>,
    /// The kind of adapter that the GPU tiers must compute on; on another kind a cell has no proof.
    /// Default: `any`.
    #[schemars(with = "Option<String>", extend("enum" = ["any", "hardware", "software"]))]
    pub(crate) adapter: Option<Spanned<AdapterDemand>>,
    /// How much an answer may differ from the reference's. The first that matches a cell applies.
    /// They come before the classes of `fixtures/tolerances.toml`.
    #[schemars(with = "Option<Vec<ToleranceSpec>>")]
    pub(crate) tolerance: Vec<Spanned<ToleranceSpec>>,
    /// Defects that are known and reported. One that no longer occurs fails the run.
    #[schemars(with = "Option<Vec<KnownFailureSpec>>")]
    pub(crate) known_failure: Vec<Spanned<KnownFailureSpec>>,
}

/// `[[include]]`
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct IncludeSpec {
    /// Browsers.
    #[schemars(with = "Option<Vec<BrowserName>>")]
    pub(crate) browsers: Option<Vec<Spanned<BrowserName>>>,
    /// Backends.
    #[schemars(with = "Option<Vec<BackendName>>")]
    pub(crate) backends: Option<Vec<Spanned<BackendName>>>,
    /// Engines.
    #[schemars(with = "Option<Vec<String>>")]
    pub(crate) engines: Option<Vec<Spanned<String>>>,
    /// Models, by name or glob.
    #[schemars(with = "Option<Vec<String>>")]
    pub(crate) models: Option<Vec<Spanned<String>>>,
    /// Scenarios, by name or glob.
    #[schemars(with = "Option<Vec<String>>")]
    pub(crate) scenarios: Option<Vec<Spanned<String>>>,
}

/// A set of cells: globs for each axis. A cell must match on every axis. An axis that is left out
/// matches every value.
#[derive(Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct WhenSpec {
    /// Browsers.
    #[schemars(with = "Option<Vec<String>>")]
    pub(crate) browsers: Option<Vec<Spanned<String>>>,
    /// Backends.
    #[schemars(with = "Option<Vec<String>>")]
    pub(crate) backends: Option<Vec<Spanned<String>>>,
    /// Engines.
    #[schemars(with = "Option<Vec<String>>")]
    pub(crate) engines: Option<Vec<Spanned<String>>>,
    /// Models.
    #[schemars(with = "Option<Vec<String>>")]
    pub(crate) models: Option<Vec<Spanned<String>>>,
    /// Scenarios.
    #[schemars(with = "Option<Vec<String>>")]
    pub(crate) scenarios: Option<Vec<Spanned<String>>>,
    /// Types of the model's weights: `F16`, `Q8_0`, `Q4_*`.
    #[schemars(with = "Option<Vec<String>>")]
    pub(crate) weights: Option<Vec<Spanned<String>>>,
    /// Adapters or renderers, by their names in reports. Only in a tolerance, which becomes a
    /// relaxation.
    #[schemars(with = "Option<Vec<String>>")]
    pub(crate) adapters: Option<Vec<Spanned<String>>>,
}

/// `[[exclude]]`
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct ExcludeSpec {
    /// The cells to leave out.
    pub(crate) when: WhenSpec,
    /// The reason, in words that a stranger understands.
    pub(crate) reason: String,
}

/// `[require]`
#[derive(Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct RequireSpec {
    /// At least this many cells must be settled as expected. Default: 1.
    #[schemars(with = "Option<u32>", range(min = 1))]
    pub(crate) cells: Option<Spanned<u32>>,
    /// The same for each value of an axis that can run here.
    pub(crate) each: Option<EachSpec>,
}

/// `[require.each]`
#[derive(Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct EachSpec {
    /// For each browser.
    #[schemars(with = "Option<u32>", range(min = 1))]
    pub(crate) browser: Option<Spanned<u32>>,
    /// For each backend.
    #[schemars(with = "Option<u32>", range(min = 1))]
    pub(crate) backend: Option<Spanned<u32>>,
    /// For each model.
    #[schemars(with = "Option<u32>", range(min = 1))]
    pub(crate) model: Option<Spanned<u32>>,
    /// For each scenario.
    #[schemars(with = "Option<u32>", range(min = 1))]
    pub(crate) scenario: Option<Spanned<u32>>,
}

/// `[routing]`
#[derive(Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct RoutingSpec {
    /// Price of 1000 tokens of the server tier, in any currency. The browser's tiers cost nothing.
    #[schemars(range(min = 0))]
    pub(crate) server_cost_per_1k_tokens: Option<f64>,
}

/// `[timeouts]`: durations such as `"30s"` or `"2m 30s"`.
#[derive(Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct TimeoutsSpec {
    /// Until the driver has started and opened a session. Default: 60s.
    #[schemars(with = "Option<String>")]
    pub(crate) launch: Option<Spanned<Duration>>,
    /// Until the page's worker has reported that it is ready. Default: 60s.
    #[schemars(with = "Option<String>")]
    pub(crate) ready: Option<Spanned<Duration>>,
    /// Until the browser's capabilities are read. Default: 60s.
    #[schemars(with = "Option<String>")]
    pub(crate) probe: Option<Spanned<Duration>>,
    /// Until every shard has arrived. Default: 2m.
    #[schemars(with = "Option<String>")]
    pub(crate) fetch: Option<Spanned<Duration>>,
    /// Until the model can run. Default: 2m.
    #[schemars(with = "Option<String>")]
    pub(crate) prepare: Option<Spanned<Duration>>,
    /// Until a prompt is processed. Default: 2m.
    #[schemars(with = "Option<String>")]
    pub(crate) prefill: Option<Spanned<Duration>>,
    /// Until a generation has ended. Default: 5m.
    #[schemars(with = "Option<String>")]
    pub(crate) decode: Option<Spanned<Duration>>,
    /// Until the given tokens are scored. Default: 5m.
    #[schemars(with = "Option<String>")]
    pub(crate) score: Option<Spanned<Duration>>,
    /// Until the op suite has finished on a backend. Default: 5m.
    #[schemars(with = "Option<String>")]
    pub(crate) ops: Option<Spanned<Duration>>,
    /// Until a model is dropped. Default: 30s.
    #[schemars(with = "Option<String>")]
    pub(crate) release: Option<Spanned<Duration>>,
    /// The longest time without an event or a heartbeat. Default: 30s.
    #[schemars(with = "Option<String>")]
    pub(crate) silence: Option<Spanned<Duration>>,
    /// A whole attempt, from launch to the last step. Default: 15m.
    #[schemars(with = "Option<String>")]
    pub(crate) attempt: Option<Spanned<Duration>>,
}

/// `[[tolerance]]`
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct ToleranceSpec {
    /// Its name in reports.
    #[schemars(with = "String")]
    pub(crate) name: Spanned<String>,
    /// The cells that it applies to. Default: all.
    pub(crate) when: Option<WhenSpec>,
    /// Mean over rows of KL(reference ‖ measured), in nats.
    #[schemars(with = "f64", range(min = 0.0))]
    pub(crate) mean_kld: Spanned<f64>,
    /// The largest KL(reference ‖ measured) of any row, in nats.
    #[schemars(with = "f64", range(min = 0.0))]
    pub(crate) max_kld: Spanned<f64>,
    /// The largest difference of a logit, after the mean difference of its row is subtracted.
    #[schemars(with = "f64", range(min = 0.0))]
    pub(crate) max_abs: f64,
    /// A token may differ where the reference prefers its own by no more than this, in logits.
    #[schemars(with = "f64", range(min = 0.0))]
    pub(crate) flip_margin: f64,
    /// The origin of the numbers.
    pub(crate) reason: String,
    /// The address of the report of the adapter's defect. Required for a relaxation, and only allowed
    /// there.
    #[schemars(with = "Option<String>", url)]
    pub(crate) link: Option<Spanned<String>>,
    /// The last day on which a relaxation is accepted. Afterwards the matrix is rejected.
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub(crate) expires: Option<Spanned<Date>>,
}

impl ToleranceSpec {
    pub(crate) fn class(&self) -> ToleranceClass {
        ToleranceClass {
            name: self.name.get_ref().clone(),
            mean_kld: *self.mean_kld.get_ref(),
            max_kld: *self.max_kld.get_ref(),
            max_abs: self.max_abs,
            flip_margin: self.flip_margin,
        }
    }
}

/// `[[known-failure]]`
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct KnownFailureSpec {
    /// The cells that fail.
    pub(crate) when: WhenSpec,
    /// The defect, in words that a stranger understands.
    pub(crate) reason: String,
    /// The address of the defect's report.
    #[schemars(with = "String", url)]
    pub(crate) link: Spanned<String>,
    /// The last day on which it is accepted, such as `2027-01-31`. Afterwards the matrix is rejected.
    #[schemars(with = "String", extend("format" = "date"))]
    pub(crate) expires: Spanned<Date>,
}
