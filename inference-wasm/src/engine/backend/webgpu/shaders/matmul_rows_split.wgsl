// A product for up to ROWS rows of x at a time: THREADS invocations share an output, and unpack its
// weights once for all rows.

const OUTPUTS: u32 = WIDTH / THREADS;

var<workgroup> partial: array<f32, WIDTH * ROWS>;

@compute @workgroup_size(WIDTH)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let output = flat(workgroup, grid) * OUTPUTS + thread / THREADS;
    // Rows beyond the last one repeat it, and are not written.
    let first = workgroup.z * ROWS;
    let last = params.rows - 1u;
    if output < params.part_outputs {
        /*each row*/ var sums_ROW = vec4<f32>();
        for (var group = thread % THREADS; group < params.groups; group += THREADS) {
            let w = unpack_group(output, group);
            /*each row*/ sums_ROW = with_group(sums_ROW, w, min(first + ROWu, last), group);
        }
        /*each row*/ partial[ROWu * WIDTH + thread] = across(sums_ROW);
    }
    workgroupBarrier();
    for (var i = thread; i < OUTPUTS * ROWS; i += WIDTH) {
        let row = first + i / OUTPUTS;
        let output = flat(workgroup, grid) * OUTPUTS + i % OUTPUTS;
        if row <= last && output < params.part_outputs {
            let at = i / OUTPUTS * WIDTH + i % OUTPUTS * THREADS;
            var sum = partial[at];
            for (var j = 1u; j < THREADS; j++) {
                sum += partial[at + j];
            }
            out[row * params.outputs + params.first_output + output] = sum;
        }
    }
}
