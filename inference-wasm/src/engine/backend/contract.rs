//! The contract of a backend: handles, ops, and the descriptions that ops take.

use std::ops::Range;
use std::sync::Arc;

use super::report::{Adapter, Candidate, Counters, Loss};
use crate::engine::model::{Activation, RotaryPairs, TensorInfo};
use crate::protocol::{BackendName, CacheType, EngineError, GpuTime};

/// The bytes of a model file, shared by all who read weights from it in place.
pub type ModelBytes = Arc<Vec<u8>>;

/// The most rows of an activation tensor: the tokens of a prefill chunk.
pub const CHUNK_ROWS: usize = 32;

/// Computes a forward pass.
///
/// Tensors are `[rows × columns]` of `f32`, with a row for each token. An op that writes a tensor
/// gives it the rows of its input, whatever it held before.
#[expect(async_fn_in_trait, reason = "an engine runs on one thread; only this crate implements it")]
pub trait Backend {
    /// A matrix or a vector of weights, in the backend's own form.
    type Weight;
    /// Activations.
    type Tensor;
    /// Keys and values of one layer, by position.
    type Cache;

    /// The name of this object, for the execution report.
    fn name(&self) -> BackendName;

    /// Threads that its kernels run on, including the calling one.
    fn threads(&self) -> u32 {
        1
    }

    /// Its work since it was made, and what it holds.
    fn counters(&self) -> Counters;

    /// The GPU it computes on, or the software that the browser offers as one; `None` on a CPU.
    fn adapter(&self) -> Option<&Adapter> {
        None
    }

    /// Its time since it was made, by kind; `None` on a CPU.
    fn gpu_time(&self) -> Option<GpuTime> {
        None
    }

    /// Why its device was lost, if it was; needs no command to find out.
    fn loss(&self) -> Option<Loss> {
        None
    }

    /// Waits for all queued work, and fails with the first error since the last wait: out of
    /// memory, an invalid command, a lost device.
    ///
    /// Called at the end of loading, since a GPU reports errors late.
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

    /// The same in place, over each run of as many columns as `scale` has: a whole row, or each
    /// head of a row.
    fn rms_norm_in_place(&mut self, x: &mut Self::Tensor, scale: &Self::Weight, epsilon: f32);

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

    /// `gates ← activation(gate · x) · (up · x)`; the content of `ups` afterwards is unspecified.
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

    /// Rotates each pair of each head by the angle of its position.
    ///
    /// `angles` is `[positions × rotated]`: cosine and sine of pair `i` at columns `2i` and `2i +
    /// 1`. `rotated` may be less than the head size; the rest of the head does not change. Row `r`
    /// of `x` is at position `first + r`.
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
    /// sees, and the sum of the values by those weights. A row sees the positions up to its own, or
    /// the last of them that fit its window.
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

    /// Waits for all queued work and appends the tensor's values to `into`, row after row.
    ///
    /// Fails with the first error since the last wait: a number from a queue with an error in it is
    /// invalid.
    async fn read(&mut self, x: &Self::Tensor, into: &mut Vec<f32>) -> Result<(), EngineError>;

    /// The `count` greatest values of a tensor of one row, as [`Candidate`]s in their order; all of
    /// them if the row has fewer. Fails as [`read`](Self::read) does.
    ///
    /// For backends on which reading a whole row costs more than searching it. `None`: the caller
    /// has to read the row.
    async fn best(
        &mut self,
        _x: &Self::Tensor,
        _count: usize,
    ) -> Result<Option<Vec<Candidate>>, EngineError> {
        Ok(None)
    }

    /// Appends every float that a tensor has room for to `into`: its rows, then the room after
    /// them, in which a test sees stray writes. A backend without such room appends just the rows.
    async fn read_room(
        &mut self,
        x: &Self::Tensor,
        into: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        self.read(x, into).await
    }
}

/// The layout of attention's heads in a row, and the positions of the rows.
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
    /// The factor of a dot product of query and key.
    pub scale: f32,
    /// Positions that a row sees, including its own; `None` for all up to its own.
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

/// Which floats of a head are rotated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotary {
    /// Floats of a head.
    pub head_size: usize,
    /// The layout of pairs in a head.
    pub pairs: RotaryPairs,
}
