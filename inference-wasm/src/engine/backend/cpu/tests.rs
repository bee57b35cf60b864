//! The kernels against sums in `f64` over dequantized weights, with the bound that rounding
//! activations to 16 bits allows and no more.

use proptest::prelude::*;

use super::*;
use crate::engine::backend::Reference;
use crate::engine::model::TensorInfo;
use crate::protocol::EngineErrorKind;
use futures::executor::block_on;

const FORMATS: [u32; 5] = [0, 1, 2, 3, 8];

fn weight(format: u32, rows: usize, columns: usize, bytes: Vec<u8>) -> (ModelBytes, TensorInfo) {
    let tensor = TensorInfo {
        name: "w".into(),
        dimensions: vec![columns, rows],
        format: Format::of(format).unwrap(),
        bytes: 0..bytes.len(),
        entry_offset: 0,
    };
    (ModelBytes::new(bytes), tensor)
}

/// Bytes of a matrix whose scales and floats are finite and of all sizes, from a random stream.
fn bytes(format: u32, rows: usize, columns: usize, mut next: impl FnMut() -> u8) -> Vec<u8> {
    let format = Format::of(format).unwrap();
    let mut half = |exponents: u8| {
        let exponent = u16::from(next() % exponents) << 10;
        let sign = u16::from(next() & 1) << 15;
        sign | exponent | u16::from(next())
    };
    let mut bytes = Vec::new();
    for _ in 0..rows * columns / format.block_weights {
        match format.name {
            "F32" => bytes.extend(half::f16::from_bits(half(31)).to_f32().to_le_bytes()),
            "F16" => bytes.extend(half(31).to_le_bytes()),
            "Q4_1" => bytes.extend([half(16), half(16)].map(u16::to_le_bytes).concat()),
            _ => bytes.extend(half(16).to_le_bytes()),
        }
        while bytes.len() % format.block_bytes != 0 {
            bytes.push(half(31) as u8);
        }
    }
    bytes
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
        values in prop::collection::vec(-20_f32..20.0, 7 * 96),
    ) {
        let columns = 32 * blocks;
        let mut position = 0_usize;
        let bytes = bytes(format, outputs, columns, || {
            position += 1;
            stream[position * 7 % 64].wrapping_add((position / 64 * 13) as u8)
        });
        let weight = weight(format, outputs, columns, bytes);
        let mut dense = vec![0.0; outputs * columns];
        (weight.1.format.dequantize)(&weight.0, &mut dense);
        let x = &values[..rows * columns];
        let ours = product(Cpu::default(), &weight, columns, x);
        let is_block = weight.1.format.block_weights > 1;

        for (at, &ours) in ours.iter().enumerate() {
            let (row, output) = (at / outputs, at % outputs);
            let x = &x[row * columns..(row + 1) * columns];
            let w = &dense[output * columns..(output + 1) * columns];
            let (mut exact, mut magnitude, mut allowed) = (0.0_f64, 0.0_f64, 0.0_f64);
            for (x, w) in x.chunks(32).zip(w.chunks(32)) {
                let greatest = x.iter().fold(0.0_f32, |greatest, x| greatest.max(x.abs()));
                for (x, w) in x.iter().zip(w) {
                    exact += f64::from(*x) * f64::from(*w);
                    magnitude += f64::from(x.abs()) * f64::from(w.abs());
                    // Half a step of the activation's scale.
                    allowed += f64::from(greatest) / 65_534.0 * f64::from(w.abs());
                }
            }
            // Rounding of the sum in f32: the terms of Q4_1 cancel, so they count one by one.
            let least = if is_block { allowed } else { 0.0 };
            let rounding = 2_f64.powi(-24) * (columns as f64 + 8.0) * 32.0 * (magnitude + least);
            let distance = (f64::from(ours) - exact).abs();
            prop_assert!(
                distance <= least * 1.000_1 + rounding + 1e-30,
                "{} row {row} output {output}: {ours} for {exact}", weight.1.format.name
            );
        }
    }

    /// A token gives the same bits alone, in a tile of four, and in what is left over.
    #[test]
    fn a_row_does_not_depend_on_its_neighbours(
        format in prop::sample::select(FORMATS.to_vec()),
        rows in 1_usize..10,
        outputs in 1_usize..10,
        values in prop::collection::vec(-3_f32..3.0, 64 * 10),
        seed in any::<u8>(),
    ) {
        let columns = 64;
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

/// Blocks at the ends of the range: every integer the least or the greatest, and the activations
/// all at full scale.
#[test]
fn extreme_blocks_do_not_overflow() {
    for format in [2, 3, 8] {
        for fill in [0x00, 0x0f, 0xf0, 0xff, 0x80, 0x7f, 0x88] {
            let block_bytes = Format::of(format).unwrap().block_bytes;
            let mut bytes = vec![fill; block_bytes];
            bytes[..2].copy_from_slice(&half::f16::ONE.to_le_bytes());
            if format == 3 {
                bytes[2..4].copy_from_slice(&half::f16::NEG_ONE.to_le_bytes());
            }
            let weight = weight(format, 1, 32, bytes);
            let mut dense = [0.0; 32];
            (weight.1.format.dequantize)(&weight.0, &mut dense);
            for x in [32_767.0_f32, -32_767.0] {
                let exact: f64 = dense.iter().map(|w| f64::from(w * x)).sum();
                assert_eq!(
                    product(Cpu::default(), &weight, 32, &[x; 32]),
                    [exact as f32],
                    "{format} {fill:#x}"
                );
            }
        }
    }
}

#[test]
fn rows_of_floats_may_have_any_length() {
    for columns in [1, 3, 4, 5, 31] {
        let values: Vec<f32> = (1..=columns).map(|i| i as f32).collect();
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let weight = weight(0, 1, columns, bytes);
        let exact: f32 = values.iter().map(|v| v * v).sum();
        assert_eq!(product(Cpu::default(), &weight, columns, &values), [exact]);
        assert_eq!(product(Reference::default(), &weight, columns, &values), [exact]);
    }
}

#[test]
fn a_team_is_refused_where_there_can_be_none() {
    for threads in if cfg!(feature = "threads") { vec![0, 65] } else { vec![0, 2, 65] } {
        let error = Cpu::new(threads).unwrap_err();
        assert_eq!(error.kind, EngineErrorKind::BackendUnavailable, "{threads}");
        assert!(error.message.starts_with(&format!("{threads} threads")), "{}", error.message);
    }
    assert_eq!(Cpu::new(1).unwrap().threads(), 1);
}

/// Products large enough to be shared, with one row and with several, by all outputs and by a
/// number of them that no part divides.
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
                assert!(bits(&alone) == bits(&shared), "format {format}, {threads} threads");
            }
        }
    }
}
