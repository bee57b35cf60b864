// RMS norm: one workgroup per row or head, whose threads sum the squares together. The functions
// and bindings for the output are declared after this piece.

struct Params {
    rows: u32,
    columns: u32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> factors: array<f32>;

var<workgroup> squares: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = flat(workgroup, grid);
    if row >= params.rows {
        return;
    }
    let start = row * params.columns;
    var sum = 0.0;
    for (var i = thread; i < params.columns; i += 64u) {
        let value = source[start + i];
        sum += value * value;
    }
    squares[thread] = sum;
    workgroupBarrier();
    sum = 0.0;
    for (var i = 0u; i < min(64u, params.columns); i++) {
        sum += squares[i];
    }
    let root = sqrt(sum / f32(params.columns) + params.epsilon);
    for (var i = thread; i < params.columns; i += 64u) {
        put(start + i, source[start + i] / root * factors[i]);
    }
}
