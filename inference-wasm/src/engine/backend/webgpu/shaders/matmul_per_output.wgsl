// A product with one invocation per output and row of x.
//
// Even groups and odd groups are summed separately, each in four lanes.

@compute @workgroup_size(WIDTH)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let output = flat(workgroup, grid) * WIDTH + thread;
    let row = workgroup.z;
    if output >= params.part_outputs {
        return;
    }
    var even = vec4<f32>();
    var odd = vec4<f32>();
    for (var group = 0u; group < params.groups; group += 2u) {
        even = with_group(even, unpack_group(output, group), row, group);
        if group + 1u < params.groups {
            odd = with_group(odd, unpack_group(output, group + 1u), row, group + 1u);
        }
    }
    let even_sum = across(even);
    let odd_sum = across(odd);
    out[row * params.outputs + params.first_output + output] = even_sum + odd_sum;
}
