//! A loaded model and the conversation in its cache.
//!
//! Decides which tokens to feed and which are in the cache already. What to do with the logits,
//! when to stop and what to send to the host is up to [`runner`](super::runner).

use std::ops::Range;
use std::rc::Rc;

use super::backend::{Backend, CHUNK_ROWS, Candidate, Counters, ModelBytes};
use super::canary;
use super::model::{Gguf, HyperParameters, TensorInfo, Weights};
use super::mutant::Mutants;
use super::tokenizer::Tokenizer;
use super::transformer::Transformer;
use crate::protocol::{CacheType, Canary, EngineError, EngineErrorKind};

/// A model file, read and checked; not yet on a backend.
pub(crate) struct Prepared {
    pub(crate) architecture: String,
    pub(crate) hyper: HyperParameters,
    pub(crate) weights: Weights<TensorInfo>,
    pub(crate) tokenizer: Tokenizer,
    /// The number of weights in the file.
    pub(crate) parameters: u64,
}

impl Prepared {
    /// Reads a model file.
    pub(crate) fn read(file: &[u8]) -> Result<Self, EngineError> {
        let gguf = Gguf::open(file)?;
        let hyper = HyperParameters::read(&gguf)?;
        let weights = Weights::find(&gguf, &hyper)?;
        let tokenizer = Tokenizer::from_gguf(&gguf.metadata)?;
        if tokenizer.vocabulary() > hyper.vocabulary {
            return Err(EngineError::invalid_model(format!(
                "the tokenizer has {} tokens, expected at most {}, the rows of \
                     `token_embd.weight`",
                tokenizer.vocabulary(),
                hyper.vocabulary
            )));
        }
        let architecture: &str = gguf.metadata.require("general.architecture")?;
        let parameters = gguf.tensors.values().map(|tensor| tensor.weights() as u64).sum();
        Ok(Self { architecture: architecture.into(), hyper, weights, tokenizer, parameters })
    }
}

/// Options for loading a model.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoadOptions {
    /// Positions that the key-value cache holds; by default, the model's whole context.
    pub positions: Option<u32>,
    /// The number type of the key-value cache.
    pub cache_type: CacheType,
    pub(crate) mutants: Mutants,
}

/// A model on a backend.
pub struct Session<B: Backend> {
    backend: B,
    transformer: Transformer<B>,
    /// Shared with the text streams of running generations.
    tokenizer: Rc<Tokenizer>,
    mutants: Mutants,
    architecture: String,
    parameters: u64,
    /// Positions that the cache holds.
    positions: usize,
    /// The tokens whose keys and values are in the cache, from position 0.
    cached: Vec<u32>,
    /// Rows in the last chunk.
    fed_rows: usize,
    /// The backend's counters when the model was ready.
    before: Counters,
}

impl<B: Backend> Session<B> {
    /// Loads a model file.
    pub fn load(
        mut backend: B,
        mut file: Vec<u8>,
        options: LoadOptions,
    ) -> Result<Self, EngineError> {
        let LoadOptions { positions, cache_type, mutants } = options;
        let Prepared { architecture, hyper, weights, tokenizer, parameters } =
            Prepared::read(&file)?;
        let positions = positions.map_or(hyper.context, |positions| positions as usize);
        if !(1..=hyper.context).contains(&positions) {
            return Err(EngineError::invalid_request(format!(
                "`context_tokens` is {positions}, expected 1 to {}, the model's context",
                hyper.context
            )));
        }
        mutants.on_weights(&mut file, &weights);
        let file = ModelBytes::new(file);
        let transformer =
            Transformer::load(&mut backend, &file, hyper, &weights, positions, cache_type)?;
        Ok(Self {
            backend,
            transformer,
            tokenizer: Rc::new(tokenizer),
            mutants,
            architecture,
            parameters,
            positions,
            cached: Vec::with_capacity(positions),
            fed_rows: 0,
            before: Counters::default(),
        })
    }

    /// Completes loading on a backend that defers work: feeds one token, waits, and fails with the
    /// first error since the backend was made. This work is not counted in
    /// [`work_done`](Self::work_done).
    #[cfg(any(target_arch = "wasm32", feature = "native-gpu"))]
    pub(crate) async fn warm_up(&mut self) -> Result<(), EngineError> {
        // A prompt's kernels first: drivers compile a kernel when it first runs.
        if self.positions > 1 {
            self.feed(&[0, 0]);
            self.clear();
        }
        self.feed(&[0]);
        self.best(1).await?;
        self.backend.settle().await?;
        self.clear();
        self.before = self.backend.counters();
        Ok(())
    }

    /// The backend that runs the model.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// The backend's work since the model was ready, and what it holds.
    pub(crate) fn work_done(&self) -> Counters {
        let now = self.backend.counters();
        Counters {
            kernel_calls: now.kernel_calls - self.before.kernel_calls,
            gpu_dispatches: now.gpu_dispatches - self.before.gpu_dispatches,
            ..now
        }
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Rc<Tokenizer> {
        &self.tokenizer
    }

    /// The model's hyper-parameters.
    pub fn hyper(&self) -> &HyperParameters {
        self.transformer.hyper()
    }

    /// Positions that the cache holds.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// Tokens in the cache.
    pub fn cached(&self) -> usize {
        self.cached.len()
    }

    pub(crate) fn architecture(&self) -> &str {
        &self.architecture
    }

    pub(crate) fn parameters(&self) -> u64 {
        self.parameters
    }

    pub(crate) fn mutants(&self) -> Mutants {
        self.mutants
    }

    /// Empties the cache.
    pub fn clear(&mut self) {
        self.cached.clear();
        self.fed_rows = 0;
    }

    /// Prepares to continue `prompt` by up to `max_tokens`, and returns how many of its tokens are
    /// in the cache already: the longest common prefix, without the prompt's last token, which must
    /// be fed for its logits.
    ///
    /// Fails with `context-overflow` if prompt and answer would not fit, and with `invalid-request`
    /// on an empty prompt or an id outside the vocabulary.
    pub fn begin(&mut self, prompt: &[u32], max_tokens: u32) -> Result<usize, EngineError> {
        let Some((_, all_but_last)) = prompt.split_last() else {
            return Err(EngineError::invalid_request(
                "the prompt has no tokens, expected 1 or more",
            ));
        };
        let vocabulary = self.hyper().vocabulary;
        if let Some((at, id)) = (0..).zip(prompt).find(|&(_, &id)| id as usize >= vocabulary) {
            let at: usize = at;
            return Err(EngineError::invalid_request(format!(
                "token {at} of the prompt is {id}, expected an id below {vocabulary}"
            )));
        }
        let needed = prompt.len() as u64 + u64::from(max_tokens);
        if needed > self.positions as u64 {
            return Err(EngineError::new(
                EngineErrorKind::ContextOverflow,
                format!(
                    "{} prompt tokens and {max_tokens} to generate need {needed} positions, \
                     expected at most {}, which is what the context holds",
                    prompt.len(),
                    self.positions
                ),
            )
            .with_hint("shorten the prompt or ask for fewer tokens"));
        }
        let common = self.cached.iter().zip(all_but_last).take_while(|(a, b)| a == b).count();
        self.cached.truncate(common);
        Ok(common)
    }

    /// Feeds the first tokens of `ids`, up to a chunk, after those in the cache, and returns how
    /// many. [`begin`](Self::begin) has checked that they fit.
    pub fn feed(&mut self, ids: &[u32]) -> usize {
        let chunk = &ids[..ids.len().min(CHUNK_ROWS)];
        self.transformer.forward(&mut self.backend, chunk, self.cached.len());
        self.cached.extend_from_slice(chunk);
        self.fed_rows = chunk.len();
        chunk.len()
    }

    /// Waits until everything fed is computed, and fails with the first error.
    pub(crate) async fn settle(&mut self) -> Result<(), EngineError> {
        self.backend.settle().await
    }

    /// Appends the logits of some rows of the last chunk to `into`.
    pub async fn logits(
        &mut self,
        rows: Range<usize>,
        into: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        let floats = rows.len().saturating_mul(self.hyper().vocabulary);
        if into.try_reserve(floats).is_err() {
            return Err(EngineError::out_of_memory(format!(
                "no memory for {} rows of logits",
                rows.len()
            ))
            .with_hint("ask for fewer rows"));
        }
        let start = into.len();
        self.transformer.logits(&mut self.backend, rows, into).await?;
        self.mutants.on_logits(&mut into[start..]);
        Ok(())
    }

    /// Appends the logits that follow the last token fed to `into`.
    pub async fn last_logits(&mut self, into: &mut Vec<f32>) -> Result<(), EngineError> {
        let last = self.fed_rows.saturating_sub(1);
        self.logits(last..self.fed_rows, into).await
    }

    /// The tokens most likely to follow the last one fed; `None` if the backend does not search for
    /// them.
    pub(crate) async fn best(
        &mut self,
        count: usize,
    ) -> Result<Option<Vec<Candidate>>, EngineError> {
        let last = self.fed_rows.saturating_sub(1);
        self.transformer.best(&mut self.backend, last, count).await
    }

    /// Runs the canary op on this session's backend.
    pub async fn canary(&mut self) -> Result<Canary, EngineError> {
        canary::run(&mut self.backend).await
    }
}
