// Unpacks rows of a table: one invocation per group of 32 weights.

struct Params {
    rows: u32,
    columns: u32,
    groups: u32, // of 32 weights in a row
    row_words: u32,
    first_id: u32, // of this part of the table
    part_rows: u32,
    first_row: u32, // of `out`, for the first id
    unused: u32,
    ids: array<vec4<u32>, 8>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let index = flat(workgroup, grid) * 64u + thread;
    if index >= params.rows * params.groups {
        return;
    }
    let row = index / params.groups;
    let group = index % params.groups;
    let id = params.ids[row / 4u][row % 4u];
    if id < params.first_id || id >= params.first_id + params.part_rows {
        return;
    }
    let at = (id - params.first_id) * params.row_words + group / GROUPS * BLOCK_WORDS;
    var values = unpack(at, group % GROUPS);
    let to = (params.first_row + row) * params.columns + group * 32u;
    for (var i = 0u; i < min(32u, params.columns - group * 32u); i++) {
        out[to + i] = values[i / 4u][i % 4u];
    }
}
