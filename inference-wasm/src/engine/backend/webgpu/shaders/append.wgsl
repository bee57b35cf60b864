// Writes keys and values into the cache: one invocation per word of each.

struct Params {
    rows: u32,
    width: u32,
    row_words: u32, // of the cache
    first: u32, // position of the first row
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> keys: array<f32>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> cached_keys: array<u32>;
@group(0) @binding(4) var<storage, read_write> cached_values: array<u32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let index = flat(workgroup, grid) * 64u + thread;
    if index >= params.rows * params.row_words {
        return;
    }
    let row = index / params.row_words;
    let word = index % params.row_words;
    let from_row = row * params.width;
    let to = (params.first + row) * params.row_words + word;
    cached_keys[to] = key_word(from_row, word);
    cached_values[to] = value_word(from_row, word);
}
