//! The types of a scenario of the engine, and of those that both kinds of scenario share.

use inference_wasm::protocol::EngineErrorKind;
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::client::ClientScenario;
use super::prompts::Cases;
use crate::spec::document::Named;
use crate::spec::fault::ShardFault;

/// The steps of one page.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its path under `fixtures/scenarios/`, without the extension: `tokens/greedy`.
    pub name: String,
    /// A description on one line.
    pub title: String,
    /// The defects of real engines that it catches.
    pub why: String,
    /// Its layer of conformance.
    pub layer: Layer,
    /// Reports of real defects that it reproduces, as `owner/name#number`.
    pub bugs: Vec<String>,
    /// The scenario whose cases and golden it uses, if it has none of its own.
    pub golden: Option<String>,
    /// The launch of its browser.
    pub launch: Launch,
    /// Empty for a scenario of the hybrid client. Otherwise the first step loads a model, or runs
    /// ops, which need none.
    pub steps: Vec<Step>,
    /// The steps of the hybrid client; `None` for a scenario of the engine alone.
    pub client: Option<Box<ClientScenario>>,
}

impl Scenario {
    /// The scenario in the golden's key, which prompt cases also list.
    pub fn golden_key(&self) -> &str {
        self.golden.as_deref().unwrap_or(&self.name)
    }

    /// Whether any step needs a golden: to compare with, or to make a synthetic prompt from its ids.
    pub fn needs_golden(&self) -> bool {
        let of_client = self.client.iter().any(|client| client.cases().next().is_some());
        of_client
            || self.steps.iter().any(|step| match step {
                Step::Generate(_) | Step::Score(_) => true,
                Step::Load(_) | Step::Ops(_) | Step::Release => false,
            })
    }

    /// The cases that its steps take.
    pub(crate) fn cases(&self) -> impl Iterator<Item = &Cases> {
        let of_client = self.client.iter().flat_map(|client| client.cases());
        self.steps.iter().filter_map(Step::cases).chain(of_client)
    }
}

/// The launch of a scenario's browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Launch {
    /// With every backend that the browser supports.
    #[default]
    Default,
    /// Without the cell's own backend, which the engine must report as missing.
    WithoutBackend,
    /// With every backend, and a GPU process that is restarted after any number of crashes.
    CrashableGpu,
}

impl Launch {
    /// The name in TOML.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Named for Launch {
    const EXPECTED: &'static str = "`default`, `without-backend` or `crashable-gpu`";
}

/// A layer of conformance.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    EnumString,
    IntoStaticStr,
    VariantNames,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Layer {
    /// Single ops against the scalar reference.
    Ops,
    /// Teacher-forced logits.
    Logits,
    /// Greedy tokens.
    Tokens,
    /// Accuracy on an eval set.
    Tasks,
    /// Load, cancel, reload, next turn.
    Lifecycle,
    /// Weights that arrive incomplete or not at all.
    Load,
    /// A backend that is switched off.
    Backend,
    /// The hybrid client under faults.
    Resilience,
    /// The hybrid client over hundreds of requests, faults among them.
    Soak,
}

impl Layer {
    /// The name in TOML.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether its scenarios are about the hybrid client.
    pub fn is_of_client(self) -> bool {
        matches!(self, Self::Resilience | Self::Soak)
    }
}

impl Named for Layer {
    const EXPECTED: &'static str = "a layer's name";
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Load the cell's model.
    Load(LoadStep),
    /// Generate, greedily.
    Generate(GenerateStep),
    /// Teacher-forced logits of the golden's ids, against the golden's logits.
    Score(ScoreStep),
    /// Every op of the cell's backend against the scalar reference.
    Ops(OpsStep),
    /// Drop the model.
    Release,
}

impl Step {
    /// The name in TOML and in evidence.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Load(_) => "load",
            Self::Generate(_) => "generate",
            Self::Score(_) => "score",
            Self::Ops(_) => "ops",
            Self::Release => "release",
        }
    }

    /// The cases that it takes from the prompt set, if any.
    pub(crate) fn cases(&self) -> Option<&Cases> {
        match self {
            Self::Generate(step) if step.prompt_tokens.is_none() => Some(&step.cases),
            Self::Score(step) => Some(&step.cases),
            Self::Load(_) | Self::Generate(_) | Self::Ops(_) | Self::Release => None,
        }
    }
}

/// Load the cell's model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadStep {
    /// Positions of the key-value cache; the model's own context when absent.
    pub context_tokens: Option<u32>,
    /// Size of a shard in bytes; the whole file is one shard when absent.
    pub shard_bytes: Option<u32>,
    /// A fault of the server, in this load alone.
    pub server_fault: Option<ShardFault>,
    /// The expected end.
    pub expect: LoadExpectation,
}

/// The expected end of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadExpectation {
    /// The model is loaded.
    Loaded,
    /// With this error.
    Error(EngineErrorKind),
}

/// Generate, greedily.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerateStep {
    /// The prompts to continue.
    pub cases: Cases,
    /// The most tokens to generate; the case's own number when absent.
    pub max_tokens: Option<u32>,
    /// Continue after a stop token, so that the generation is long enough to be cancelled.
    pub ignore_stop: bool,
    /// Cancel after this many tokens.
    pub cancel_after_tokens: Option<u32>,
    /// At least this many of the prompt's tokens must come from the key-value cache.
    pub reused_tokens_at_least: Option<u32>,
    /// A synthetic prompt of this many ids, instead of a case.
    pub prompt_tokens: Option<u32>,
    /// The expected end.
    pub expect: GenerateExpectation,
}

/// The expected end of a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GenerateExpectation {
    /// With the golden's tokens.
    Tokens,
    /// Cancelled, within one token after the command.
    Cancelled,
    /// With this error.
    Error(EngineErrorKind),
}

/// Teacher-forced logits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreStep {
    /// The cases whose ids are scored. The logits must be within the cell's tolerance class.
    pub cases: Cases,
}

/// Every op of the cell's backend against the scalar reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpsStep {
    /// Only cases of the op suite whose name contains this, or matches it if it has a `*`; all cases
    /// when absent.
    pub filter: Option<String>,
}
