// Rotary positions: one invocation per pair.

struct Params {
    rows: u32,
    columns: u32,
    head_size: u32,
    pairs: u32, // rotated pairs of a head
    first: u32, // position of the first row
    step: u32, // between the pairs of a head: 2 or 1
    distance: u32, // within a pair: 1 or `pairs`
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> angles: array<f32>;
@group(0) @binding(2) var<storage, read_write> x: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let index = flat(workgroup, grid) * 64u + thread;
    let row_pairs = params.columns / params.head_size * params.pairs;
    if index >= params.rows * row_pairs {
        return;
    }
    let row = index / row_pairs;
    let head = index % row_pairs / params.pairs;
    let pair = index % params.pairs;
    let angle = ((params.first + row) * params.pairs + pair) * 2u;
    let turn = vec2<f32>(angles[angle], angles[angle + 1u]);
    let at = row * params.columns + head * params.head_size + pair * params.step;
    let a = x[at];
    let b = x[at + params.distance];
    x[at] = a * turn.x - b * turn.y;
    x[at + params.distance] = a * turn.y + b * turn.x;
}
