struct Params {
    rows: u32, // of x
    columns: u32,
    groups: u32, // of 32 weights in a row
    row_words: u32,
    outputs: u32, // of the whole matrix
    first_output: u32, // of this part of it
    part_outputs: u32,
    unused: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn unpack_group(output: u32, group: u32) -> array<vec4<f32>, 8> {
    return unpack(output * params.row_words + group / GROUPS * BLOCK_WORDS, group % GROUPS);
}

// The sums in four lanes, plus the products of a group.
fn with_group(sums: vec4<f32>, w: array<vec4<f32>, 8>, row: u32, group: u32) -> vec4<f32> {
    var acc = sums;
    acc += w[0] * four_of(row, group, 0u);
    acc += w[1] * four_of(row, group, 1u);
    acc += w[2] * four_of(row, group, 2u);
    acc += w[3] * four_of(row, group, 3u);
    acc += w[4] * four_of(row, group, 4u);
    acc += w[5] * four_of(row, group, 5u);
    acc += w[6] * four_of(row, group, 6u);
    acc += w[7] * four_of(row, group, 7u);
    return acc;
}
