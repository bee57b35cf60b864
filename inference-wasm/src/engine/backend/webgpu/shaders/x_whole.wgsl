// Rows of activations that are whole groups of 32.
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;

fn four_of(row: u32, group: u32, i: u32) -> vec4<f32> {
    return x[row * (params.columns / 4u) + group * 8u + i];
}
