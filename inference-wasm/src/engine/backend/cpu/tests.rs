//! The kernels compared with sums in `f64` over dequantized weights, with the bound that rounding
//! activations to 16 bits allows and no more.

use proptest::prelude::*;

use super::*;
use crate::engine::backend::Reference;
use crate::engine::model::TensorInfo;
use crate::engine::quant::{FORMATS, Format};
use crate::protocol::EngineErrorKind;
use futures::executor::block_on;

fn weight(
    format: &'static Format,
    rows: usize,
    columns: usize,
    bytes: Vec<u8>,
) -> (ModelBytes, TensorInfo) {
    let tensor = TensorInfo {
        name: "w".into(),
        dimensions: vec![columns, rows],
        format,
        bytes: 0..bytes.len(),
        entry_offset: 0,
    };
    (ModelBytes::new(bytes), tensor)
}

/// The offsets in a block of its half-precision scale, and of its least value or the scale of least
/// values. The rest are integers, which may be any bits.
fn halves(format: &Format) -> (Option<usize>, Option<usize>) {
    match format.name {
        "Q4_1" | "Q5_1" | "Q4_K" | "Q5_K" => (Some(0), Some(2)),
        "Q2_K" => (Some(80), Some(82)),
        "Q3_K" => (Some(108), None),
        "Q6_K" => (Some(208), None),
        "F32" | "F16" | "BF16" => (None, None),
        _ => (Some(0), None),
    }
}

/// Bytes of a matrix whose scales and floats are finite and of all sizes, from a random stream.
fn bytes(format: &Format, rows: usize, columns: usize, mut next: impl FnMut() -> u8) -> Vec<u8> {
    let mut half = |exponents: u8| {
        let exponent = u16::from(next() % exponents) << 10;
        let sign = u16::from(next() & 1) << 15;
        sign | exponent | u16::from(next())
    };
    let mut bytes = Vec::new();
    for _ in 0..rows * columns / format.block_weights {
        let mut block: Vec<u8> = (0..format.block_bytes).map(|_| half(31) as u8).collect();
        match format.name {
            "F32" => block = half::f16::from_bits(half(31)).to_f32().to_le_bytes().to_vec(),
            "F16" => block = half(31).to_le_bytes().to_vec(),
            "BF16" => {
                let value = half::f16::from_bits(half(31)).to_f32();
                block = half::bf16::from_f32(value).to_le_bytes().to_vec();
            }
            _ => {
                let (scale, least) = halves(format);
                for at in scale.into_iter().chain(least) {
                    block[at..at + 2].copy_from_slice(&half(16).to_le_bytes());
                }
            }
        }
        bytes.extend(block);
    }
    bytes
}

/// Compares products of the kernels with sums in `f64` over dequantized weights.
///
/// Two things may differ: an activation is rounded to a step of its group's greatest value over
/// 32639, so by at most half of that; and sums are in `f32`. A weight is the sum of a part with the
/// scale and of a least value, which may cancel, so in the second term both count separately.
fn check(format: &'static Format, bytes: Vec<u8>, columns: usize, x: &[f32]) -> Result<(), String> {
    let outputs = bytes.len() / format.block_bytes * format.block_weights / columns;
    let mut dense = vec![0.0; outputs * columns];
    (format.dequantize)(&bytes, &mut dense);
    let mut leasts = vec![0.0; outputs * columns];
    if let (Some(scale), Some(_)) = halves(format) {
        let mut without_scale = bytes.clone();
        for block in without_scale.chunks_exact_mut(format.block_bytes) {
            block[scale..scale + 2].fill(0);
        }
        (format.dequantize)(&without_scale, &mut leasts);
    }
    let is_block = format.block_weights > 1;
    let ours = product(Cpu::default(), &weight(format, outputs, columns, bytes), columns, x);
    for (at, &ours) in ours.iter().enumerate() {
        let (row, output) = (at / outputs, at % outputs);
        let x = x[row * columns..(row + 1) * columns].chunks(32);
        let of_output = output * columns..(output + 1) * columns;
        let weights = dense[of_output.clone()].chunks(32).zip(leasts[of_output].chunks(32));
        let (mut exact, mut magnitude, mut allowed) = (0.0_f64, 0.0_f64, 0.0_f64);
        for (x, (w, least)) in x.zip(weights) {
            let greatest = x.iter().fold(0.0_f32, |greatest, x| greatest.max(x.abs()));
            let half_step = if is_block { f64::from(greatest) / 65_278.0 } else { 0.0 };
            for ((&x, &w), &least) in x.iter().zip(w).zip(least) {
                let (x, w, least) = (f64::from(x), f64::from(w), f64::from(least));
                exact += x * w;
                magnitude += (x.abs() + half_step) * ((w - least).abs() + least.abs());
                allowed += half_step * w.abs();
            }
        }
        let rounding = 2_f64.powi(-24) * (columns as f64 + 8.0) * magnitude;
        let distance = (f64::from(ours) - exact).abs();
        if distance > allowed + rounding + 1e-30 || !ours.is_finite() {
            let allowed = allowed + rounding;
            return Err(format!(
                "{format:?} row {row} output {output}: {ours} for {exact}, allowed {allowed:e}"
            ));
        }
    }
    Ok(())
}

fn product<B: Backend>(
    mut backend: B,
    weight: &(ModelBytes, TensorInfo),
    columns: usize,
    x: &[f32],
) -> Vec<f32> {
    let matrix = backend.weight(&weight.0, &weight.1).unwrap();
    let x = backend.constant(columns, x).unwrap();
    let mut out = backend.tensor(1, weight.1.rows()).unwrap();
    backend.matmul(&matrix, &x, &mut out);
    let mut values = Vec::new();
    block_on(backend.read(&out, &mut values)).unwrap();
    values
}

proptest! {
    #[test]
    fn products_are_as_close_as_sixteen_bits_allow(
        format in prop::sample::select(FORMATS.to_vec()),
        (blocks, outputs, rows) in (1_usize..4, 1_usize..7, 1_usize..7),
        stream in prop::collection::vec(any::<u8>(), 64),
        values in prop::collection::vec(-20_f32..20.0, 7 * 3 * 256),
    ) {
        let columns = blocks * format.block_weights.max(32);
        let mut position = 0_usize;
        let bytes = bytes(format, outputs, columns, || {
            position += 1;
            stream[position * 7 % 64].wrapping_add((position / 64 * 13) as u8)
        });
        let checked = check(format, bytes, columns, &values[..rows * columns]);
        prop_assert!(checked.is_ok(), "{}", checked.unwrap_err());
    }

    /// A token gives the same bits alone, in a tile of four, and in the remainder.
    #[test]
    fn a_row_does_not_depend_on_its_neighbours(
        format in prop::sample::select(FORMATS.to_vec()),
        rows in 1_usize..10,
        outputs in 1_usize..10,
        values in prop::collection::vec(-3_f32..3.0, 256 * 10),
        seed in any::<u8>(),
    ) {
        let columns = format.block_weights.max(64);
        let mut state = seed;
        let bytes = bytes(format, outputs, columns, || {
            state = state.wrapping_mul(77).wrapping_add(101);
            state
        });
        let weight = weight(format, outputs, columns, bytes);
        let x = &values[..rows * columns];
        let batch = product(Cpu::default(), &weight, columns, x);
        for (row, x) in x.chunks_exact(columns).enumerate() {
            let alone = product(Cpu::default(), &weight, columns, x);
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&batch[row * outputs..(row + 1) * outputs]), bits(&alone));
        }
    }
}

/// Blocks at the ends of the range: every integer the least or the greatest, with the greatest
/// sub-scales, and all activations at full scale.
#[test]
fn extreme_blocks_do_not_overflow() {
    for format in FORMATS.into_iter().filter(|format| format.block_weights > 1) {
        let columns = 2 * format.block_weights;
        for fill in [0x00, 0x0f, 0xf0, 0xff, 0x80, 0x7f, 0x88] {
            for scale in [half::f16::ONE, half::f16::NEG_ONE, half::f16::MAX] {
                let mut bytes = vec![fill; 2 * format.block_bytes];
                for block in bytes.chunks_exact_mut(format.block_bytes) {
                    let (at, least_at) = halves(format);
                    for (at, value) in
                        at.into_iter().zip([scale]).chain(least_at.into_iter().zip([-scale]))
                    {
                        block[at..at + 2].copy_from_slice(&value.to_le_bytes());
                    }
                }
                for x in [32_639.0_f32, -32_639.0] {
                    check(format, bytes.clone(), columns, &vec![x; columns]).unwrap();
                }
            }
        }
    }
}

/// The limit of eight products in a lane: −32 · −128 in every place of `Q6_K`.
#[test]
fn the_greatest_integers_sum_without_overflow() {
    let format = Format::of(14).unwrap();
    let mut bytes = vec![0; 192];
    bytes.extend([0x80; 16]);
    bytes.extend(half::f16::ONE.to_le_bytes());
    let mut dense = [0.0; 256];
    (format.dequantize)(&bytes, &mut dense);
    assert_eq!(dense.map(f32::to_bits), [4096.0_f32.to_bits(); 256]);
    let weight = weight(format, 1, 256, bytes);
    let sum = 256.0 * 4096.0 * 32_639.0;
    assert_eq!(product(Cpu::default(), &weight, 256, &[32_639.0; 256]), [sum]);
    assert_eq!(product(Cpu::default(), &weight, 256, &[-32_639.0; 256]), [-sum]);
}

#[test]
fn rows_of_floats_may_have_any_length() {
    for columns in [1, 3, 4, 5, 31] {
        let values: Vec<f32> = (1..=columns).map(|i| i as f32).collect();
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let weight = weight(Format::of(0).unwrap(), 1, columns, bytes);
        let exact: f32 = values.iter().map(|v| v * v).sum();
        assert_eq!(product(Cpu::default(), &weight, columns, &values), [exact]);
        assert_eq!(product(Reference::default(), &weight, columns, &values), [exact]);
    }
}

#[test]
fn an_unavailable_number_of_threads_is_refused() {
    for threads in if cfg!(feature = "threads") { vec![0, 65] } else { vec![0, 2, 65] } {
        let error = Cpu::new(threads).unwrap_err();
        assert_eq!(error.kind, EngineErrorKind::BackendUnavailable, "{threads}");
        assert!(error.message.starts_with(&format!("{threads} threads")), "{}", error.message);
    }
    assert_eq!(Cpu::new(1).unwrap().threads(), 1);
}

/// Products large enough to be shared, of one row and of several, of all outputs and of a number
/// that no part divides.
#[cfg(feature = "threads")]
#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let (columns, mut state) = (256, 1_u8);
    for format in FORMATS {
        for (outputs, rows) in [(1024, 1), (515, 1), (203, 7)] {
            let bytes = bytes(format, outputs, columns, || {
                state = state.wrapping_mul(77).wrapping_add(101);
                state
            });
            let weight = weight(format, outputs, columns, bytes);
            let x: Vec<f32> = (0..rows * columns).map(|i| (i * 37 % 101) as f32 - 50.0).collect();
            let alone = product(Cpu::default(), &weight, columns, &x);
            for threads in 2..5 {
                let shared = product(Cpu::new(threads).unwrap(), &weight, columns, &x);
                let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert!(bits(&alone) == bits(&shared), "{}, {threads} threads", format.name);
            }
        }
    }
}

/// Three products of one `x`, and a gated pair: each as if computed alone.
#[test]
fn joint_products_have_the_bits_of_separate_ones() {
    let (columns, outputs) = (256, 203);
    let mut state = 1_u8;
    let mut made = |format| {
        let bytes = bytes(format, outputs, columns, || {
            state = state.wrapping_mul(77).wrapping_add(101);
            state
        });
        weight(format, outputs, columns, bytes)
    };
    // Q4_1, F32 and Q6_K: with integers, without, and with integers again.
    let weights = [3, 0, 14].map(|id| made(Format::of(id).unwrap()));
    let threads = if cfg!(feature = "threads") { 1..4 } else { 1..2 };
    for (rows, threads) in
        [1, 7].into_iter().flat_map(|rows| threads.clone().map(move |n| (rows, n)))
    {
        let x: Vec<f32> = (0..rows * columns).map(|i| (i * 37 % 101) as f32 / 64.0 - 0.5).collect();
        let mut cpu = Cpu::new(threads).unwrap();
        let matrices = weights.each_ref().map(|(file, info)| cpu.weight(file, info).unwrap());
        let x = cpu.constant(columns, &x).unwrap();
        let mut apart = [(); 3].map(|()| cpu.tensor(rows, outputs).unwrap());
        for (matrix, out) in matrices.iter().zip(&mut apart) {
            cpu.matmul(matrix, &x, out);
        }
        let mut together = [(); 3].map(|()| cpu.tensor(rows, outputs).unwrap());
        cpu.matmul_each(matrices.each_ref(), &x, together.each_mut());
        let bits = |x: &Tensor| x.values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(apart.each_ref().map(bits), together.each_ref().map(bits), "{rows}, {threads}");

        let [gate, up, _] = &matrices;
        let [gates, ups, _] = &mut apart;
        cpu.gated(gates, ups, Activation::Silu);
        let [found, scratch, _] = &mut together;
        cpu.matmul_gated([gate, up], &x, Activation::Silu, [found, scratch]);
        assert_eq!(bits(gates), bits(found), "{rows} rows, {threads} threads");
    }
}
