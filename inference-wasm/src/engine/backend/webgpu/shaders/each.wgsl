// An op on each element of `x`, alone or with the element at the same place of `y`: one invocation
// per element. The function `value` and the bindings are declared after this piece.

struct Params {
    count: u32, // of elements
    columns: u32,
    first: u32, // element of `y` for the first one of `x`
    factor: f32,
}

@group(0) @binding(0) var<uniform> params: Params;

fn silu(x: f32) -> f32 {
    return x * sigmoid(x);
}

fn gelu_tanh(x: f32) -> f32 {
    // (1 + tanh(u)) / 2 is the sigmoid of 2u, which is precise near zero. Beyond 20 it is 0 or 1.
    let b = clamp(x, -20.0, 20.0);
    return x * sigmoid(1.5957691216 * (b + 0.044715 * b * b * b));
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = flat(workgroup, grid) * 64u + thread;
    if i >= params.count {
        return;
    }
    x[i] = value(i);
}
