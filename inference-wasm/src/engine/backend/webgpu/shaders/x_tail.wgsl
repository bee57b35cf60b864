// Rows of activations whose last group may be incomplete: columns beyond the row count as zero.
@group(0) @binding(2) var<storage, read> x: array<f32>;

fn one_of(row: u32, column: u32) -> f32 {
    if column >= params.columns {
        return 0.0;
    }
    return x[row * params.columns + column];
}

fn four_of(row: u32, group: u32, i: u32) -> vec4<f32> {
    let column = group * 32u + i * 4u;
    return vec4<f32>(one_of(row, column), one_of(row, column + 1u),
        one_of(row, column + 2u), one_of(row, column + 3u));
}
