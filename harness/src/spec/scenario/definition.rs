//! The types of a scenario of the engine, and of those that both kinds of scenario share.

use inference_wasm::protocol::EngineErrorKind;
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::client::ClientScenario;
use super::prompts::Cases;
use crate::spec::document::Named;
use crate::spec::fault::ShardFault;

/// What is done in one page.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Where it lies under `fixtures/scenarios/`, without the ending: `tokens/greedy`.
    pub name: String,
    /// What it shows, on one line.
    pub title: String,
    /// The defects of real engines that it catches.
    pub why: String,
    /// The layer of conformance that it belongs to.
    pub layer: Layer,
    /// Reports of real defects that it stands for, as `owner/name#number`.
    pub bugs: Vec<String>,
    /// The scenario whose cases and golden it uses, if not its own.
    pub golden: Option<String>,
    /// What its browser is launched with.
    pub launch: Launch,
    /// Empty for a scenario of the hybrid client; else the first one loads, or holds ops, which
    /// need no model.
    pub steps: Vec<Step>,
    /// What is done with the hybrid client; `None` for a scenario of the engine alone.
    pub client: Option<Box<ClientScenario>>,
}

impl Scenario {
    /// The scenario part of the golden's key, which is also what a prompt case lists.
    pub fn golden_key(&self) -> &str {
        self.golden.as_deref().unwrap_or(&self.name)
    }

    /// Whether any step is judged by a golden: one that answers cases, or makes up a prompt out of
    /// the first one's ids.
    pub fn needs_golden(&self) -> bool {
        let of_client = self.client.iter().any(|client| client.cases().next().is_some());
        of_client
            || self.steps.iter().any(|step| match step {
                Step::Generate(_) | Step::Score(_) => true,
                Step::Load(_) | Step::Ops(_) | Step::Release => false,
            })
    }

    /// The case ids that steps name, and whether any step takes cases at all.
    pub(crate) fn cases(&self) -> impl Iterator<Item = &Cases> {
        let of_client = self.client.iter().flat_map(|client| client.cases());
        self.steps.iter().filter_map(Step::cases).chain(of_client)
    }
}

/// What a scenario's browser is launched with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Launch {
    /// Every backend that the browser can have.
    #[default]
    Default,
    /// All but the cell's own, so that the engine has to say that it is not there.
    WithoutBackend,
    /// Every backend, on a GPU process that may crash as often as it likes.
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
    /// Weights that do not arrive, or not whole.
    Load,
    /// A backend that is not there.
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

    /// Its scenarios are about the hybrid client.
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
    /// The name as it stands in TOML and in evidence.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Load(_) => "load",
            Self::Generate(_) => "generate",
            Self::Score(_) => "score",
            Self::Ops(_) => "ops",
            Self::Release => "release",
        }
    }

    /// The cases that it takes from the prompt set, if it takes any.
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
    /// What the server does wrong in this load alone.
    pub server_fault: Option<ShardFault>,
    /// How it has to end.
    pub expect: LoadExpectation,
}

/// How a load has to end.
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
    /// What to continue.
    pub cases: Cases,
    /// The most tokens to generate; the case's own number when absent.
    pub max_tokens: Option<u32>,
    /// Go on after a stop token, so that the generation is long enough to be cancelled.
    pub ignore_stop: bool,
    /// Cancel when this many tokens have come.
    pub cancel_after_tokens: Option<u32>,
    /// At least this many of the prompt's tokens have to come out of the key-value cache.
    pub reused_tokens_at_least: Option<u32>,
    /// Instead of a case: a synthetic prompt of this many ids.
    pub prompt_tokens: Option<u32>,
    /// How it has to end.
    pub expect: GenerateExpectation,
}

/// How a generation has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GenerateExpectation {
    /// With the golden's tokens.
    Tokens,
    /// Cancelled, within one token of being told.
    Cancelled,
    /// With this error.
    Error(EngineErrorKind),
}

/// Teacher-forced logits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreStep {
    /// The cases whose ids are fed. The logits have to be within the cell's tolerance class.
    pub cases: Cases,
}

/// Every op of the cell's backend against the scalar reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpsStep {
    /// Only cases of the op suite whose name has this in it, or is like it where it has a `*`; all
    /// when absent.
    pub filter: Option<String>,
}
