// A product for up to ROWS rows of x at a time: an invocation unpacks the weights of an output once
// for all rows.

@compute @workgroup_size(WIDTH)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let output = flat(workgroup, grid) * WIDTH + thread;
    // Rows beyond the last one repeat it, and are not written.
    let first = workgroup.z * ROWS;
    let last = params.rows - 1u;
    if output >= params.part_outputs {
        return;
    }
    /*each row*/ var sums_ROW = vec4<f32>();
    for (var group = 0u; group < params.groups; group++) {
        let w = unpack_group(output, group);
        /*each row*/ sums_ROW = with_group(sums_ROW, w, min(first + ROWu, last), group);
    }
    let to = params.first_output + output;
    let stride = params.outputs;
    /*each row*/ if first + ROWu <= last { out[(first + ROWu) * stride + to] = across(sums_ROW); }
}
