// Two weights a word: the upper halves of single precision.
fn four(at: u32) -> vec4<f32> {
    let a = weights[at];
    let b = weights[at + 1u];
    return bitcast<vec4<f32>>(
        vec4<u32>(a << 16u, a & 0xffff0000u, b << 16u, b & 0xffff0000u));
}

fn unpack(at: u32, part: u32) -> array<vec4<f32>, 8> {
    return array<vec4<f32>, 8>(four(at), four(at + 2u), four(at + 4u), four(at + 6u),
        four(at + 8u), four(at + 10u), four(at + 12u), four(at + 14u));
}
