//! The table: every op, weight type and shape that a backend is tested with.
//!
//! Shapes are few and chosen to reveal errors: one row, a tail after every number that kernels like
//! (4, 32, 64, 128, 256), sums over more than one workgroup's width, and a whole chunk. They are
//! small, since software adapters run all of them.

use super::attention::Attention;
use super::case::Case;
use super::elementwise::{Elementwise, Function};
use super::inputs::Values::{self, Ends, Large, Ordinary, Zeros};
use super::norms::Norm;
use super::products::{Embed, Matmul};
use super::rope::Rope;
use super::selection::{Best, Logits, Read, Rows};
use crate::engine::model::{Activation, RotaryPairs};
use crate::engine::quant::{FORMATS, Format};
use crate::protocol::CacheType;

/// Every case, in the order of running and reporting.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    embed(&mut cases);
    matmul(&mut cases);
    norms(&mut cases);
    rope(&mut cases);
    attention(&mut cases);
    elementwise(&mut cases);
    selection(&mut cases);
    cases
}

/// A format of plain floats, by name.
fn floats(name: &str) -> &'static Format {
    FORMATS.into_iter().find(|format| format.name == name).unwrap_or(FORMATS[0])
}

/// Rows and tokens; columns in blocks, or in groups of 32 where a block is smaller.
fn embed(cases: &mut Vec<Case>) {
    for format in FORMATS {
        let block = format.block_weights.max(32);
        for (rows, tokens, blocks) in [(1, 3, 1), (5, 7, 3), (31, 129, 1), (32, 33, 2)] {
            let columns = blocks * block;
            cases.push(Embed { format, rows, tokens, columns, values: Ordinary }.into());
        }
        if format.block_weights == 1 {
            for (rows, tokens, columns) in [(1, 3, 1), (3, 5, 7), (5, 3, 33), (3, 2, 65)] {
                cases.push(Embed { format, rows, tokens, columns, values: Ordinary }.into());
            }
        }
        cases.push(Embed { format, rows: 3, tokens: 9, columns: block, values: Ends }.into());
    }
}

/// Rows, columns and outputs of products, for blocks of 32 weights.
const PRODUCTS_BY_32: [(usize, usize, usize); 14] = [
    (1, 32, 1),
    (1, 64, 2),
    (1, 96, 3),
    (1, 64, 1000),
    (1, 288, 33),
    (1, 576, 129),
    (1, 1536, 5),
    (2, 64, 64),
    (3, 96, 31),
    (5, 96, 33),
    (9, 576, 3),
    (31, 32, 5),
    (32, 288, 127),
    (17, 160, 65),
];

/// The same for blocks of 256.
const PRODUCTS_BY_256: [(usize, usize, usize); 12] = [
    (1, 256, 1),
    (1, 256, 2),
    (1, 512, 3),
    (1, 256, 1000),
    (1, 768, 33),
    (1, 512, 129),
    (1, 1536, 5),
    (3, 256, 31),
    (5, 768, 3),
    (31, 256, 5),
    (32, 256, 127),
    (17, 512, 65),
];

/// The same for plain floats, whose rows may have any length.
const PRODUCTS_OF_FLOATS: [(usize, usize, usize); 9] = [
    (1, 1, 1),
    (1, 3, 2),
    (3, 7, 5),
    (5, 33, 3),
    (1, 65, 129),
    (1, 257, 31),
    (2, 129, 33),
    (32, 65, 31),
    (31, 255, 2),
];

fn matmul(cases: &mut Vec<Case>) {
    for format in FORMATS {
        let is_by_256 = format.block_weights == 256;
        let mut push = |(rows, columns, outputs), values| {
            cases.push(Matmul { format, rows, columns, outputs, values }.into());
        };
        let shapes: &[_] = if is_by_256 { &PRODUCTS_BY_256 } else { &PRODUCTS_BY_32 };
        let floats = if format.block_weights == 1 { &PRODUCTS_OF_FLOATS[..] } else { &[] };
        for shape in shapes.iter().chain(floats) {
            push(*shape, Ordinary);
        }
        let columns = if is_by_256 { 512 } else { 96 };
        for values in [Large, Ends] {
            push((1, columns, 33), values);
            push((5, columns, 17), values);
        }
        push((3, columns, 5), Zeros);
    }
}

fn norms(cases: &mut Vec<Case>) {
    let f32 = floats("F32");
    let mut push = |format, rows, heads, size, values| {
        cases.push(Norm { format, rows, heads, size, values }.into());
    };
    for (rows, size) in [
        (1, 1),
        (1, 3),
        (3, 5),
        (2, 64),
        (5, 96),
        (1, 129),
        (31, 257),
        (32, 576),
        (1, 576),
        (3, 1000),
        (1, 1536),
        (1, 4099),
    ] {
        push(f32, rows, None, size, Ordinary);
    }
    for values in [Large, Zeros] {
        push(f32, 3, None, 576, values);
        push(f32, 1, None, 33, values);
        push(f32, 3, Some(3), 64, values);
    }
    for (rows, heads, size) in
        [(1, 1, 4), (1, 9, 64), (3, 5, 24), (31, 2, 33), (32, 3, 128), (2, 4, 80), (5, 1, 256)]
    {
        push(f32, rows, Some(heads), size, Ordinary);
    }
    for format in ["F16", "BF16"].map(floats) {
        push(format, 3, None, 96, Ordinary);
        push(format, 1, None, 65, Ordinary);
        push(format, 3, Some(3), 64, Ordinary);
    }
}

fn rope(cases: &mut Vec<Case>) {
    for pairs in [RotaryPairs::Interleaved, RotaryPairs::Halves] {
        for (rows, heads, size, rotated, first) in [
            (1, 1, 2, 2, 0),
            (1, 9, 64, 64, 0),
            (1, 3, 64, 64, 511),
            (3, 5, 24, 24, 7),
            (5, 3, 96, 72, 1),
            (31, 2, 32, 16, 33),
            (32, 3, 80, 80, 480),
            (2, 1, 6, 2, 3),
            (1, 4, 128, 64, 2047),
        ] {
            let values = Ordinary;
            cases.push(Rope { rows, heads, size, rotated, pairs, first, values }.into());
        }
        for values in [Large, Zeros] {
            let (rows, heads, size, rotated, first) = (3, 2, 32, 32, 5);
            cases.push(Rope { rows, heads, size, rotated, pairs, first, values }.into());
        }
    }
}

/// Rows, query heads, key and value heads, their size, and the position of the first row.
const ATTENTIONS: [(usize, usize, usize, usize, usize); 14] = [
    (1, 1, 1, 4, 0),
    (1, 4, 2, 16, 0),
    (1, 9, 3, 64, 6),
    (1, 9, 3, 64, 131),
    (5, 9, 3, 64, 0),
    (3, 8, 1, 32, 7),
    (2, 2, 2, 24, 31),
    (3, 3, 3, 80, 33),
    (5, 2, 1, 96, 63),
    (1, 4, 2, 128, 255),
    (2, 2, 1, 256, 9),
    (31, 4, 2, 16, 1),
    (32, 4, 2, 16, 480),
    (1, 2, 1, 32, 511),
];

fn attention(cases: &mut Vec<Case>) {
    for cache in [CacheType::F32, CacheType::F16] {
        let plain = |(rows, queries, kv, size, first)| Attention {
            rows,
            queries,
            kv,
            size,
            first,
            window: None,
            soft_cap: None,
            cache,
            is_exact_in_half: cache == CacheType::F16,
            values: Ordinary,
        };
        cases.extend(ATTENTIONS.map(|shape| plain(shape).into()));
        cases.push(plain((1, 2, 1, 16, 2047)).into());
        cases.push(plain((3, 2, 1, 16, 2045)).into());
        for (window, shape) in [
            (1, (3, 2, 1, 16, 5)),
            (8, (5, 4, 2, 32, 20)),
            (7, (31, 2, 2, 16, 3)),
            (64, (1, 4, 2, 32, 200)),
            (100, (5, 2, 1, 16, 4)),
        ] {
            cases.push(Attention { window: Some(window), ..plain(shape) }.into());
        }
        for shape in [(1, 4, 2, 32, 70), (5, 2, 1, 16, 3)] {
            cases.push(Attention { soft_cap: Some(50.0), ..plain(shape) }.into());
            let both = Attention { soft_cap: Some(2.0), window: Some(9), ..plain(shape) };
            cases.push(both.into());
            for values in [Large, Zeros] {
                cases.push(Attention { values, ..plain(shape) }.into());
            }
        }
        if cache == CacheType::F16 {
            for shape in [(3, 4, 2, 32, 40), (1, 9, 3, 64, 99)] {
                cases.push(Attention { is_exact_in_half: false, ..plain(shape) }.into());
            }
        }
    }
}

/// Shapes of element-wise ops.
const GRIDS: [(usize, usize); 9] =
    [(1, 1), (1, 3), (3, 5), (1, 257), (5, 33), (31, 65), (32, 129), (3, 1000), (1, 1536)];

fn elementwise(cases: &mut Vec<Case>) {
    let mut push = |function, (rows, columns), values: Values| {
        cases.push(Elementwise { function, rows, columns, values }.into());
    };
    let silu = Function::Gated(Activation::Silu);
    let gelu = Function::Gated(Activation::GeluTanh);
    let (scale, cap) = (Function::Scale(0.3), Function::SoftCap(30.0));
    let bias = Function::AddBias(floats("F32"));
    for function in [silu, gelu, Function::Add, bias, scale, cap] {
        for grid in GRIDS {
            push(function, grid, Ordinary);
        }
        push(function, (5, 33), Large);
        push(function, (3, 5), Zeros);
    }
    for function in [silu, gelu, cap, Function::SoftCap(0.5)] {
        push(function, (3, 33), Ends);
    }
    push(Function::Scale(-24.0), (3, 65), Ordinary);
    for format in ["F16", "BF16"].map(floats) {
        push(Function::AddBias(format), (3, 96), Ordinary);
        push(Function::AddBias(format), (5, 65), Ordinary);
    }
}

fn selection(cases: &mut Vec<Case>) {
    for (all, rows, columns) in [
        (1, 0..1, 1),
        (5, 4..5, 33),
        (5, 1..4, 7),
        (32, 31..32, 576),
        (31, 0..31, 65),
        (32, 3..32, 129),
        (3, 1..3, 1000),
    ] {
        cases.push(Rows { all, rows, columns }.into());
    }
    for (rows, columns) in [(1, 1), (1, 3), (3, 5), (5, 33), (31, 65), (32, 129), (1, 1000)] {
        cases.push(Read { rows, columns }.into());
    }
    for logits in [Logits::Random, Logits::Tied, Logits::Equal, Logits::NoNumbers] {
        for (columns, count) in
            [(2, 1), (7, 40), (33, 8), (256, 1), (1000, 40), (5003, 1), (5003, 8), (49_152, 40)]
        {
            cases.push(Best { columns, count, logits }.into());
        }
    }
    cases.push(Best { columns: 1, count: 1, logits: Logits::Random }.into());
}
