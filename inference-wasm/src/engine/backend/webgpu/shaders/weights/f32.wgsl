// Words are the weights.
fn four(at: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(
        vec4<u32>(weights[at], weights[at + 1u], weights[at + 2u], weights[at + 3u]));
}

fn unpack(at: u32, part: u32) -> array<vec4<f32>, 8> {
    return array<vec4<f32>, 8>(four(at), four(at + 4u), four(at + 8u), four(at + 12u),
        four(at + 16u), four(at + 20u), four(at + 24u), four(at + 28u));
}
