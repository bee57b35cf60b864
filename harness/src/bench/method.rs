//! What a series measures, and how.

use std::sync::Arc;

use inference_wasm::protocol::ModelManifest;

use super::entry::Entry;
use super::unmeasured::Unmeasured;
use crate::drive::server::ServedModel;
use crate::engines::{Engine, ModelForm, Prepared};
use crate::spec::bundle::BundleChoice;
use crate::spec::launch::LaunchProfile;
use crate::spec::matrix::Timeouts;

/// How every series is measured.
#[derive(Debug, Clone)]
pub struct Method {
    /// Prompt lengths, in tokens.
    pub contexts: Vec<u32>,
    /// Rounds that count.
    pub pairs: u32,
    /// Tokens to generate.
    pub tokens: u32,
    /// The bundle that our page loads, and the threads of every entry without a number of its own.
    pub bundle: BundleChoice,
    /// Measure on a busy machine, too.
    pub allow_busy: bool,
    /// Deadlines of phases.
    pub timeouts: Timeouts,
}

impl Method {
    /// The bundle and the threads of an entry.
    pub(super) fn choice(&self, entry: Entry) -> BundleChoice {
        BundleChoice { threads: entry.threads.unwrap_or(self.bundle.threads), ..self.bundle }
    }

    /// Positions that the longest prompt and its answer take.
    pub(super) fn positions(&self) -> u32 {
        self.contexts.iter().max().map_or(0, |context| context + self.tokens)
    }

    /// The same without the prompts that don't fit a context of this length, and why each of them
    /// is left out.
    pub(super) fn within(&self, positions: u32) -> (Self, Vec<String>) {
        let tokens = self.tokens;
        let fits = |context: &u32| context + tokens <= positions;
        let (contexts, others) = self.contexts.iter().copied().partition::<Vec<_>, _>(fits);
        let reason = |context| {
            format!(
                "prompt of {context}: with {tokens} more it exceeds the model's {positions} \
                 positions"
            )
        };
        (Self { contexts, ..self.clone() }, others.into_iter().map(reason).collect())
    }
}

/// An entry that is ready to be started.
#[derive(Debug)]
pub struct Contender {
    /// The entry.
    pub entry: Entry,
    pub(crate) prepared: Prepared,
}

/// The entries, the browser and the model of one series.
#[derive(Debug)]
pub struct Subject<'s> {
    /// The entries; the first is compared with each of the others.
    pub contenders: &'s [Contender],
    /// The browser; `None` where no engine needs one.
    pub profile: Option<LaunchProfile>,
    /// The model, in the shards that our own page gets.
    pub model: Arc<ServedModel>,
    /// The same in one piece, for peers.
    pub whole: Arc<ServedModel>,
    /// Name of its ONNX export, if it has one.
    pub onnx: Option<String>,
    /// Bytes of its weights that each token has to read.
    pub read_bytes: u64,
}

impl Subject<'_> {
    /// The model in the form that an engine takes.
    pub(super) fn model(&self, engine: &Engine) -> Result<Arc<ServedModel>, Unmeasured> {
        match engine.model {
            ModelForm::Shards => Ok(self.model.clone()),
            ModelForm::WholeFile => Ok(self.whole.clone()),
            ModelForm::Onnx => {
                let ModelManifest { name, .. } = &self.whole.manifest;
                let onnx = self.onnx.clone().ok_or_else(|| Unmeasured::NoOnnx(name.clone()))?;
                // Its page finds the export by this name and takes no shards.
                let manifest = ModelManifest { name: onnx, ..self.whole.manifest.clone() };
                Ok(Arc::new(ServedModel { manifest, ..(*self.whole).clone() }))
            }
        }
    }
}
