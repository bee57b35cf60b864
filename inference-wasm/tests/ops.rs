//! The op suite natively: the CPU kernels pass every case, and a backend with a defect fails with a
//! message that names op, weight type, shape and backend.

#![expect(clippy::print_stdout, reason = "shows measurements with `--nocapture`")]

use std::ops::Range;

use futures::FutureExt;
use futures::executor::block_on;
use inference_wasm::engine::backend::{
    Backend, Counters, Cpu, Heads, ModelBytes, Reference, Rotary,
};
use inference_wasm::engine::model::{Activation, TensorInfo};
use inference_wasm::engine::ops_suite::{self, Tally};
use inference_wasm::protocol::{BackendName, CacheType, EngineError};

fn checked(backend: &mut impl Backend) -> Tally {
    let cases = ops_suite::cases();
    block_on(ops_suite::run(backend, &cases, &mut async |_| Ok(()))).unwrap()
}

/// Prints its measurements: `cargo test --test ops -- --nocapture`.
#[test]
fn the_kernels_pass_every_case() {
    let tally = checked(&mut Cpu::default());
    for worst in &tally.worst {
        println!("{:<16} {:.3} of its bound, NMSE {:.1e}", worst.op, worst.ratio, worst.nmse);
    }
    let failures: Vec<_> = tally.failures.iter().map(|failure| &failure.message).collect();
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(tally.tallies.iter().all(|tally| tally.passed > 0 || tally.left_out > 0));
}

/// The defect of a [`Defective`] backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    /// None: the wrapper itself is correct.
    None,
    /// Matrix products omit the last column if it is not a multiple of 32.
    ForgottenTail,
    /// Products are computed for rows in fours, and all four are written.
    WholeTiles,
    /// The gate's exponential is multiplied before the division, and overflows.
    Overflow,
    /// Products are rounded to half precision, which ends at 65504.
    HalfPrecision,
    /// Attention sees one position too few, from the second on.
    ShortWindow,
    /// Cached values are read with the query's head.
    WrongHead,
}

/// The reference with a defect, and with room after its rows, as on a GPU.
struct Defective {
    reference: Reference,
    defect: Defect,
}

/// A tensor of the reference, and the floats of its capacity.
struct Roomy {
    columns: usize,
    tensor: <Reference as Backend>::Tensor,
    room: Vec<f32>,
}

impl Defective {
    fn values(&mut self, x: &Roomy) -> Vec<f32> {
        let mut values = Vec::new();
        // The reference never waits, and executors can't be nested.
        self.reference.read(&x.tensor, &mut values).now_or_never().unwrap().unwrap();
        values
    }

    fn write(&mut self, x: &mut Roomy, values: &[f32]) {
        x.tensor = self.reference.constant(x.columns, values).unwrap();
    }
}

impl Backend for Defective {
    type Weight = (<Reference as Backend>::Weight, usize);
    type Tensor = Roomy;
    type Cache = <Reference as Backend>::Cache;

    fn name(&self) -> BackendName {
        BackendName::Webgpu
    }

    fn counters(&self) -> Counters {
        self.reference.counters()
    }

    fn weight(
        &mut self,
        file: &ModelBytes,
        tensor: &TensorInfo,
    ) -> Result<Self::Weight, EngineError> {
        Ok((self.reference.weight(file, tensor)?, tensor.columns()))
    }

    fn tensor(&mut self, rows: usize, columns: usize) -> Result<Roomy, EngineError> {
        let tensor = self.reference.tensor(rows, columns)?;
        Ok(Roomy { columns, tensor, room: vec![0.0; rows * columns] })
    }

    fn constant(&mut self, columns: usize, values: &[f32]) -> Result<Roomy, EngineError> {
        let tensor = self.reference.constant(columns, values)?;
        Ok(Roomy { columns, tensor, room: values.to_vec() })
    }

    fn cache(
        &mut self,
        positions: usize,
        width: usize,
        cache_type: CacheType,
    ) -> Result<Self::Cache, EngineError> {
        self.reference.cache(positions, width, cache_type)
    }

    fn embed(&mut self, table: &Self::Weight, ids: &[u32], out: &mut Roomy) {
        self.reference.embed(&table.0, ids, &mut out.tensor);
    }

    fn rms_norm(&mut self, x: &Roomy, scale: &Self::Weight, epsilon: f32, out: &mut Roomy) {
        self.reference.rms_norm(&x.tensor, &scale.0, epsilon, &mut out.tensor);
    }

    fn rms_norm_in_place(&mut self, x: &mut Roomy, scale: &Self::Weight, epsilon: f32) {
        self.reference.rms_norm_in_place(&mut x.tensor, &scale.0, epsilon);
    }

    fn matmul(&mut self, matrix: &Self::Weight, x: &Roomy, out: &mut Roomy) {
        let mut values = self.values(x);
        if self.defect == Defect::ForgottenTail && !matrix.1.is_multiple_of(32) {
            for row in values.chunks_exact_mut(x.columns) {
                row[x.columns - 1] = 0.0;
            }
        }
        let input = self.reference.constant(x.columns, &values).unwrap();
        self.reference.matmul(&matrix.0, &input, &mut out.tensor);
        if self.defect == Defect::HalfPrecision {
            let rounded: Vec<f32> = self
                .values(out)
                .iter()
                .map(|value| if value.abs() > 65_504.0 { f32::INFINITY } else { *value })
                .collect();
            self.write(out, &rounded);
        }
        if self.defect == Defect::WholeTiles {
            let written = self.values(out).len();
            let rows = (written / out.columns).next_multiple_of(4);
            let end = out.room.len().min(rows * out.columns);
            out.room[written..end].fill(0.0);
        }
    }

    fn add_bias(&mut self, x: &mut Roomy, bias: &Self::Weight) {
        self.reference.add_bias(&mut x.tensor, &bias.0);
    }

    fn rope(&mut self, x: &mut Roomy, angles: &Roomy, rotary: Rotary, first: usize) {
        self.reference.rope(&mut x.tensor, &angles.tensor, rotary, first);
    }

    fn append(&mut self, cache: &mut Self::Cache, keys: &Roomy, values: &Roomy, first: usize) {
        self.reference.append(cache, &keys.tensor, &values.tensor, first);
    }

    fn attention(&mut self, queries: &Roomy, cache: &Self::Cache, heads: Heads, out: &mut Roomy) {
        let heads = match self.defect {
            Defect::ShortWindow if heads.first > 0 => {
                Heads { window: heads.window.or(Some(heads.first)), ..heads }
            }
            Defect::WrongHead => Heads { kv: 1, ..heads },
            _ => heads,
        };
        self.reference.attention(&queries.tensor, cache, heads, &mut out.tensor);
    }

    fn gated(&mut self, gate: &mut Roomy, up: &Roomy, activation: Activation) {
        if self.defect == Defect::Overflow && activation == Activation::Silu {
            let (gates, ups) = (self.values(gate), self.values(up));
            let gated = gates.iter().zip(ups).map(|(x, up)| x * x.exp() / (1.0 + x.exp()) * up);
            let gated: Vec<f32> = gated.collect();
            return self.write(gate, &gated);
        }
        self.reference.gated(&mut gate.tensor, &up.tensor, activation);
    }

    fn add(&mut self, x: &mut Roomy, y: &Roomy) {
        self.reference.add(&mut x.tensor, &y.tensor);
    }

    fn scale(&mut self, x: &mut Roomy, factor: f32) {
        self.reference.scale(&mut x.tensor, factor);
    }

    fn soft_cap(&mut self, x: &mut Roomy, cap: f32) {
        self.reference.soft_cap(&mut x.tensor, cap);
    }

    fn rows(&mut self, x: &Roomy, rows: Range<usize>, out: &mut Roomy) {
        self.reference.rows(&x.tensor, rows, &mut out.tensor);
    }

    async fn read(&mut self, x: &Roomy, into: &mut Vec<f32>) -> Result<(), EngineError> {
        self.reference.read(&x.tensor, into).await
    }

    async fn read_room(&mut self, x: &Roomy, into: &mut Vec<f32>) -> Result<(), EngineError> {
        let start = into.len();
        self.reference.read(&x.tensor, into).await?;
        let written = into.len() - start;
        into.extend(x.room.get(written..).unwrap_or_default());
        Ok(())
    }
}

fn failures(defect: Defect) -> Vec<String> {
    let tally = checked(&mut Defective { reference: Reference::default(), defect });
    tally.failures.into_iter().map(|failure| failure.message).collect()
}

#[test]
fn a_backend_without_a_defect_passes_and_is_guarded() {
    let mut backend = Defective { reference: Reference::default(), defect: Defect::None };
    let tally = checked(&mut backend);
    assert!(tally.failures.is_empty(), "{:#?}", tally.failures);
    for tally in tally.tallies.iter().filter(|tally| !matches!(tally.op.as_str(), "read" | "best"))
    {
        assert_eq!(tally.unguarded, 0, "{}/{}", tally.op, tally.weights);
    }
}

#[test]
fn a_forgotten_tail_is_caught() {
    let failures = failures(Defect::ForgottenTail);
    let tails = |format: &str| {
        let name = format!("`matmul/{format}/rows=5,columns=33,outputs=3` on `webgpu`: ");
        failures.iter().any(|message| message.starts_with(&name) && message.contains("allowed"))
    };
    assert!(["F32", "F16", "BF16"].into_iter().all(tails), "{failures:#?}");
}

#[test]
fn a_write_beyond_the_rows_is_caught() {
    let failures = failures(Defect::WholeTiles);
    let name = "`matmul/Q8_0/rows=5,columns=96,outputs=33` on `webgpu`: ";
    let message = failures.iter().find(|message| message.starts_with(name)).unwrap();
    assert_eq!(
        message.strip_prefix(name).unwrap(),
        "wrote beyond its 5 rows: at row 5, column 0 nothing should have been written, found 0e0"
    );
    assert!(failures.iter().all(|message| message.starts_with("`matmul/")), "{failures:#?}");
}

#[test]
fn an_overflow_is_caught() {
    let failures = failures(Defect::Overflow);
    let name = "`gated/F32/rows=3,columns=33,activation=silu,values=ends` on `webgpu`: ";
    let message = failures.iter().find(|message| message.starts_with(name)).unwrap();
    assert!(message.contains("12 of 99 values are not finite"), "{message}");
}

#[test]
fn products_beyond_half_precision_are_caught_on_every_weight_type() {
    let failures = failures(Defect::HalfPrecision);
    for format in inference_wasm::engine::quant::FORMATS {
        let name = format!("`matmul/{}/rows=1,", format.name);
        let caught = |message: &&String| {
            message.starts_with(&name)
                && message.contains("values=large")
                && message.contains("inf")
        };
        assert!(failures.iter().any(|message| caught(&message)), "{}", format.name);
    }
}

#[test]
fn attention_to_too_few_or_wrong_positions_is_caught() {
    let short = failures(Defect::ShortWindow);
    for cache in ["F32", "F16"] {
        for shape in ["rows=1,heads=2/1,size=32,first=511", "rows=1,heads=2/1,size=16,first=2047"] {
            let name = format!("`attention/{cache}/{shape}` on `webgpu`: ");
            assert!(short.iter().any(|message| message.starts_with(&name)), "{name}: {short:#?}");
        }
    }
    let elsewhere = failures(Defect::WrongHead);
    let name = "`attention/F32/rows=5,heads=9/3,size=64,first=0` on `webgpu`: ";
    assert!(elsewhere.iter().any(|message| message.starts_with(name)), "{elsewhere:#?}");
}
