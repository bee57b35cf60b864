//! What a transformer needs from the thing that computes, and the things that compute.
//!
//! A [`Backend`] owns its tensors; the forward pass only passes handles around, so that weights
//! and activations can live on a GPU. Work is queued in order and a result is seen only through
//! [`Backend::read`], which is `async` because a browser can't wait for a GPU.
//!
//! A backend never hands work to another one.

mod cpu;
mod reference;
#[cfg(any(test, target_arch = "wasm32"))]
mod webgl;
#[cfg(any(target_arch = "wasm32", feature = "native-gpu"))]
mod webgpu;

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

pub use cpu::Cpu;
#[cfg(test)]
pub(crate) use cpu::activation;
pub(crate) use cpu::product;
pub use reference::Reference;
#[cfg(target_arch = "wasm32")]
pub use webgl::Webgl;
#[cfg(any(target_arch = "wasm32", feature = "native-gpu"))]
pub use webgpu::{Webgpu, WebgpuOptions};

use super::model::TensorInfo;
use crate::client::machine::LossReason;
use crate::protocol::{BackendName, CacheType, EngineError, EngineErrorKind, GpuTime};

/// The bytes of a model file, shared by all who read weights from it in place.
pub type ModelBytes = Arc<Vec<u8>>;

/// Most rows that a tensor of activations ever has: the tokens of a prefill chunk.
pub const CHUNK_ROWS: usize = 32;

/// A device that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// As the browser tells it.
    pub reason: LossReason,
    /// For people.
    pub message: String,
}

impl Loss {
    /// What a command fails with that needs the device.
    pub fn error(&self) -> EngineError {
        EngineError {
            kind: EngineErrorKind::DeviceLost,
            message: self.message.clone(),
            hint: Some("load the model again".into()),
        }
    }
}

/// A thing that computes a forward pass.
///
/// Tensors are `[rows × columns]` of `f32`, a row for each token. An op that writes a tensor
/// gives it the rows of its input, whatever it held before.
#[expect(async_fn_in_trait, reason = "an engine runs on one thread; only this crate implements it")]
pub trait Backend {
    /// A matrix or a vector of weights, in whatever form the backend keeps it.
    type Weight;
    /// Activations.
    type Tensor;
    /// Keys and values of one layer, by position.
    type Cache;

    /// The name of this very object, for the execution report.
    fn name(&self) -> BackendName;

    /// Threads that its kernels run on, the calling one included.
    fn threads(&self) -> u32 {
        1
    }

    /// What it has done since it was made, and what it holds.
    fn counters(&self) -> Counters;

    /// What it computes on, if that is a GPU, or something that the browser offers as one.
    fn adapter(&self) -> Option<&Adapter> {
        None
    }

    /// Where its time went since it was made; `None` on a CPU.
    fn gpu_time(&self) -> Option<GpuTime> {
        None
    }

    /// Why its device is gone, once it is; needs no command to find out.
    fn loss(&self) -> Option<Loss> {
        None
    }

    /// Waits for all that is queued, and fails with whatever went wrong since the last time: no
    /// memory, a command that was not valid, a device that is gone.
    ///
    /// Ends the loading of a model, since a GPU tells late.
    async fn settle(&mut self) -> Result<(), EngineError> {
        Ok(())
    }

    /// Takes a weight from the file.
    fn weight(
        &mut self,
        file: &ModelBytes,
        tensor: &TensorInfo,
    ) -> Result<Self::Weight, EngineError>;

    /// A tensor with room for `rows` rows of `columns` floats, and no rows yet.
    fn tensor(&mut self, rows: usize, columns: usize) -> Result<Self::Tensor, EngineError>;

    /// A tensor with these values, row after row.
    fn constant(&mut self, columns: usize, values: &[f32]) -> Result<Self::Tensor, EngineError>;

    /// An empty cache for `positions` keys and as many values of `width` floats each.
    fn cache(
        &mut self,
        positions: usize,
        width: usize,
        cache_type: CacheType,
    ) -> Result<Self::Cache, EngineError>;

    /// `out[r] = table[ids[r]]`. Ids are below the table's rows.
    fn embed(&mut self, table: &Self::Weight, ids: &[u32], out: &mut Self::Tensor);

    /// `out[r] = x[r] / √(mean(x[r]²) + epsilon) · scale`, element by element.
    fn rms_norm(
        &mut self,
        x: &Self::Tensor,
        scale: &Self::Weight,
        epsilon: f32,
        out: &mut Self::Tensor,
    );

    /// The same on each head by itself, in place: `scale` has as many floats as a head.
    fn rms_norm_heads(&mut self, x: &mut Self::Tensor, scale: &Self::Weight, epsilon: f32);

    /// `out[r] = matrix · x[r]`: as many columns as the matrix has rows.
    fn matmul(&mut self, matrix: &Self::Weight, x: &Self::Tensor, out: &mut Self::Tensor);

    /// The same for several matrices and one `x`.
    fn matmul_each<const N: usize>(
        &mut self,
        matrices: [&Self::Weight; N],
        x: &Self::Tensor,
        outs: [&mut Self::Tensor; N],
    ) {
        for (matrix, out) in matrices.into_iter().zip(outs) {
            self.matmul(matrix, x, out);
        }
    }

    /// `gates ← activation(gate · x) · (up · x)`; what `ups` has then is the backend's business.
    fn matmul_gated(
        &mut self,
        matrices: [&Self::Weight; 2],
        x: &Self::Tensor,
        activation: Activation,
        [gates, ups]: [&mut Self::Tensor; 2],
    ) {
        self.matmul_each(matrices, x, [gates, ups]);
        self.gated(gates, ups, activation);
    }

    /// `x[r] ← x[r] + bias`.
    fn add_bias(&mut self, x: &mut Self::Tensor, bias: &Self::Weight);

    /// Turns each pair of each head by the angle of its position.
    ///
    /// `angles` is `[positions × rotated]`: cosine and sine of pair `i` at columns `2i` and
    /// `2i + 1`. `rotated` may be less than the head; what follows in the head stays as it is.
    /// Row `r` of `x` is at position `first + r`.
    fn rope(&mut self, x: &mut Self::Tensor, angles: &Self::Tensor, rotary: Rotary, first: usize);

    /// Writes the rows of `keys` and `values` at positions `first` and up.
    fn append(
        &mut self,
        cache: &mut Self::Cache,
        keys: &Self::Tensor,
        values: &Self::Tensor,
        first: usize,
    );

    /// For each row and head: softmax over `scale · query · key` of the positions that the row
    /// sees, and the sum of the values by those weights. A row sees the positions up to its own,
    /// or the last ones of them that fit its window.
    fn attention(
        &mut self,
        queries: &Self::Tensor,
        cache: &Self::Cache,
        heads: Heads,
        out: &mut Self::Tensor,
    );

    /// `gate ← activation(gate) · up`, element by element.
    fn gated(&mut self, gate: &mut Self::Tensor, up: &Self::Tensor, activation: Activation);

    /// `x ← x + y`.
    fn add(&mut self, x: &mut Self::Tensor, y: &Self::Tensor);

    /// `x ← factor · x`.
    fn scale(&mut self, x: &mut Self::Tensor, factor: f32);

    /// `x ← cap · tanh(x / cap)`.
    fn soft_cap(&mut self, x: &mut Self::Tensor, cap: f32);

    /// `out ← x[rows]`.
    fn rows(&mut self, x: &Self::Tensor, rows: Range<usize>, out: &mut Self::Tensor);

    /// Waits for all that is queued and appends the tensor's values to `into`, row after row.
    ///
    /// Fails with whatever went wrong since the last time: a number that comes out of a queue
    /// with an error in it is none.
    async fn read(&mut self, x: &Self::Tensor, into: &mut Vec<f32>) -> Result<(), EngineError>;

    /// The `count` greatest values of a tensor of one row, as [`Candidate`]s in their order; all
    /// if the row has fewer. Fails as [`read`](Self::read) does.
    ///
    /// For backends where reading a whole row costs more than finding its greatest. `None`: this
    /// one leaves it to whoever reads the row.
    async fn best(
        &mut self,
        _x: &Self::Tensor,
        _count: usize,
    ) -> Result<Option<Vec<Candidate>>, EngineError> {
        Ok(None)
    }

    /// Appends every float that a tensor has room for to `into`, its rows first and then what is
    /// beyond them: what a test needs to see that an op wrote nothing there. Just the rows where
    /// nothing is beyond them.
    async fn read_room(
        &mut self,
        x: &Self::Tensor,
        into: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        self.read(x, into).await
    }
}

/// A token that may come next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Its id.
    pub id: u32,
    /// Its logit.
    pub logit: f32,
}

impl Candidate {
    /// The order of candidates: what is no number first, so that nobody misses it, then the
    /// greatest logit, and the lowest id among equals.
    pub fn order(&self, other: &Self) -> Ordering {
        let by_logit = match (self.logit.is_nan(), other.logit.is_nan()) {
            (false, false) => other.logit.partial_cmp(&self.logit).unwrap_or(Ordering::Equal),
            (a, b) => b.cmp(&a),
        };
        by_logit.then(self.id.cmp(&other.id))
    }
}

/// What a GPU backend computes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// What the browser or the driver calls it; empty where it keeps that to itself.
    pub name: String,
    /// It says that it computes on the CPU (SwiftShader, llvmpipe, lavapipe), or the browser says
    /// so. `false` also where neither tells.
    pub is_software: bool,
    /// SHA-256, in hex, of its features and limits, as `name=value` lines in order.
    pub limits_sha256: String,
}

/// How attention's heads lie in a row, and where the rows are.
#[derive(Debug, Clone, Copy)]
pub struct Heads {
    /// Query heads.
    pub queries: usize,
    /// Key and value heads; query head `h` attends to head `h · kv / queries`.
    pub kv: usize,
    /// Floats of a head.
    pub size: usize,
    /// Position of the first row.
    pub first: usize,
    /// What a dot product of query and key is multiplied by.
    pub scale: f32,
    /// Positions that a row sees, its own included; `None`: all up to its own.
    pub window: Option<usize>,
    /// Scores go through `cap · tanh(score / cap)` before softmax.
    pub soft_cap: Option<f32>,
}

impl Heads {
    /// The positions that row `row` sees.
    pub fn visible(&self, row: usize) -> Range<usize> {
        let end = self.first + row + 1;
        let start = self.window.map_or(0, |window| end.saturating_sub(window));
        start..end
    }
}

/// Which floats of a head are turned together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotary {
    /// Floats of a head.
    pub head_size: usize,
    /// How pairs lie in it.
    pub pairs: RotaryPairs,
}

/// How the pairs of a rotary embedding lie in the part of the head that is turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotaryPairs {
    /// Pair `i` is `(x[2i], x[2i + 1])`.
    Interleaved,
    /// Pair `i` is `(x[i], x[i + rotated / 2])`: GPT-NeoX's order.
    Halves,
}

/// The function that a feed-forward's gate goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x / (1 + e⁻ˣ)`.
    Silu,
    /// `x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 · x³)))`.
    GeluTanh,
}

impl Activation {
    /// Its value, by the formula.
    pub fn of(self, x: f32) -> f32 {
        match self {
            Self::Silu => x / (1.0 + (-x).exp()),
            Self::GeluTanh => {
                const ROOT: f32 = 0.797_884_6;
                0.5 * x * (1.0 + (ROOT * (x + 0.044_715 * x * x * x)).tanh())
            }
        }
    }
}

/// What a backend has done since it was made, and what it holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Matrix kernels called on the CPU.
    pub kernel_calls: u64,
    /// Dispatches or draws on the GPU.
    pub gpu_dispatches: u64,
    /// Bytes of weights.
    pub weight_bytes: u64,
    /// Bytes of key-value caches.
    pub cache_bytes: u64,
}

/// Room for `count` zeros, or an error that says what for.
pub(crate) fn zeros<T: bytemuck::Zeroable + Clone>(
    count: Option<usize>,
    what: &str,
) -> Result<Vec<T>, EngineError> {
    let mut values = Vec::new();
    let count = count.unwrap_or(usize::MAX);
    if values.try_reserve_exact(count).is_err() {
        return Err(EngineError {
            kind: EngineErrorKind::OutOfMemory,
            message: format!("no memory for {what}: {count} numbers of {} bytes", size_of::<T>()),
            hint: Some("ask for a smaller context with `context_tokens`".into()),
        });
    }
    values.resize(count, T::zeroed());
    Ok(values)
}
