// A product in which THREADS invocations share an output: each sums its groups in four lanes, and
// one of them adds the sums.

const OUTPUTS: u32 = WIDTH / THREADS;

var<workgroup> partial: array<f32, WIDTH>;

@compute @workgroup_size(WIDTH)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let output = flat(workgroup, grid) * OUTPUTS + thread / THREADS;
    let row = workgroup.z;
    if output < params.part_outputs {
        var sums = vec4<f32>();
        for (var group = thread % THREADS; group < params.groups; group += THREADS) {
            sums = with_group(sums, unpack_group(output, group), row, group);
        }
        partial[thread] = across(sums);
    }
    workgroupBarrier();
    if thread % THREADS == 0u && output < params.part_outputs {
        var sum = partial[thread];
        for (var i = 1u; i < THREADS; i++) {
            sum += partial[thread + i];
        }
        out[row * params.outputs + params.first_output + output] = sum;
    }
}
