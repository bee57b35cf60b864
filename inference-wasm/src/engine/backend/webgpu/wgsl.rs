//! The WGSL of each kernel, composed from the pieces in `shaders/`.
//!
//! Pieces are concatenated: WGSL lets functions and bindings be declared in any order, so a piece may
//! call a function that a later one defines. Sizes are declared as constants in front of them. Only
//! one thing needs a preprocessor: see [`unroll`].

use super::kernel::{Element, Kernel, MatmulStrategy, WIDTH};
use super::packing::{GROUP, Packing};
use crate::engine::quant::Format;

macro_rules! piece {
    ($name:literal) => {
        include_str!(concat!("shaders/", $name, ".wgsl"))
    };
}

/// The whole source of a kernel.
pub(super) fn source(kernel: Kernel) -> String {
    let common = piece!("common");
    match kernel {
        Kernel::Embed { format } => [common, &unpacking(format), piece!("embed")].concat(),
        Kernel::Matmul { format, strategy, is_whole } => {
            [common, &unpacking(format), &matmul(strategy, is_whole)].concat()
        }
        Kernel::Norm => [common, piece!("norm"), piece!("norm_out")].concat(),
        Kernel::NormInPlace => [common, piece!("norm"), piece!("norm_in_place")].concat(),
        Kernel::Rope => [common, piece!("rope")].concat(),
        Kernel::Append { is_half } => {
            let packing = if is_half { piece!("pack_f16") } else { piece!("pack_f32") };
            [common, piece!("append"), packing].concat()
        }
        Kernel::Attention { is_half, dims } => {
            let cache = if is_half { piece!("cache_f16") } else { piece!("cache_f32") };
            [common, &constants([("DIMS", dims)]), piece!("attention"), cache].concat()
        }
        Kernel::Each(element) => [common, piece!("each"), &value(element)].concat(),
        Kernel::Best => [common, piece!("best")].concat(),
    }
}

fn constants<const N: usize>(values: [(&str, u32); N]) -> String {
    values.map(|(name, value)| format!("const {name}: u32 = {value}u;\n")).concat()
}

/// Unpacks the weights of a format.
fn unpacking(format: u32) -> String {
    let Some(format) = Format::of(format) else { return String::new() };
    let group = piece!("weights/scale_and_least");
    let pieces: &[&str] = match format.name {
        "F32" => &[piece!("weights/f32")],
        "F16" => &[piece!("weights/f16")],
        "BF16" => &[piece!("weights/bf16")],
        "Q4_0" => &[piece!("weights/q4_0")],
        "Q4_1" => &[piece!("weights/q4_1")],
        "Q5_0" => &[piece!("weights/q5_0")],
        "Q5_1" => &[piece!("weights/q5_1")],
        "Q8_0" => &[piece!("weights/q8_0")],
        "Q2_K" => &[piece!("weights/q2_k")],
        "Q3_K" => &[piece!("weights/q3_k")],
        "Q4_K" => &[group, piece!("weights/q4_k")],
        "Q5_K" => &[group, piece!("weights/q5_k")],
        "Q6_K" => &[piece!("weights/q6_k")],
        "IQ4_NL" => &[piece!("weights/iq4_nl")],
        // A format without a piece does not compile, and the load fails with that error.
        _ => &[],
    };
    let packing = Packing::of(format);
    let (groups, words) = (packing.weights / GROUP, packing.bytes / 4);
    let sizes = constants([("GROUPS", groups as u32), ("BLOCK_WORDS", words as u32)]);
    [&sizes, piece!("unpack"), &pieces.concat()].concat()
}

fn matmul(strategy: MatmulStrategy, is_whole: bool) -> String {
    let (threads, rows) = (strategy.threads(), strategy.rows());
    let body = match strategy {
        MatmulStrategy::PerOutput => piece!("matmul_per_output"),
        MatmulStrategy::Split { .. } => piece!("matmul_split"),
        MatmulStrategy::Rows { threads: 1, .. } => piece!("matmul_rows_per_output"),
        MatmulStrategy::Rows { .. } => piece!("matmul_rows_split"),
    };
    let x = if is_whole { piece!("x_whole") } else { piece!("x_tail") };
    let sizes = constants([("WIDTH", WIDTH), ("THREADS", threads), ("ROWS", rows)]);
    [&sizes, piece!("matmul_params"), x, &unroll(body, rows)].concat()
}

/// The new value of element `i` of `x`, and the bindings that it needs.
fn value(element: Element) -> String {
    let value = match element {
        Element::Add => "x[i] + y[i]",
        Element::AddBias => "x[i] + y[i % params.columns]",
        Element::Silu => "silu(x[i]) * y[i]",
        Element::GeluTanh => "gelu_tanh(x[i]) * y[i]",
        Element::Scale => "params.factor * x[i]",
        Element::SoftCap => "params.factor * precise_tanh(x[i] / params.factor)",
        Element::Rows => "y[params.first + i]",
    };
    let bindings = if element.has_other() { piece!("each_x_and_y") } else { piece!("each_x") };
    format!("{bindings}\nfn value(i: u32) -> f32 {{\n    return {value};\n}}\n")
}

/// Repeats each line that begins with `/*each row*/` for every row, with the row's number in place
/// of `ROW`: an array of sums, indexed in a loop, would be kept in memory and not in registers.
fn unroll(source: &str, rows: u32) -> String {
    let mut unrolled = String::new();
    for line in source.lines() {
        match line.split_once("/*each row*/") {
            None => unrolled.extend([line, "\n"]),
            Some((_, line)) => {
                for row in 0..rows {
                    let row = row.to_string();
                    let line = line.replace("_ROW", &format!("_{row}"));
                    unrolled.extend([&line.replace("ROWu", &format!("{row}u")), "\n"]);
                }
            }
        }
    }
    unrolled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_lines_are_repeated_for_each_row() {
        let source = "let ROWS_of = 1u;\n  /*each row*/ sum_ROW += x[ROWu * ROWS];\nend";
        let expected = "let ROWS_of = 1u;\n sum_0 += x[0u * ROWS];\n sum_1 += x[1u * ROWS];\nend\n";
        assert_eq!(unroll(source, 2), expected);
    }
}
