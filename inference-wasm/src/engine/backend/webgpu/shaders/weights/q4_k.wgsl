// Word 0: scale of the scales, and of the least values; words 1 to 3: those of the groups; words
// 4 to 35: pairs, two groups in 32 bytes.
fn four(word: u32, shift: u32, scales: vec2<f32>) -> vec4<f32> {
    return scales.x * vec4<f32>(fields(word, shift, 15u)) - scales.y;
}

fn unpack(at: u32, part: u32) -> array<vec4<f32>, 8> {
    let s = scale_and_least(at, part);
    let q = at + 4u + part / 2u * 8u;
    let shift = part % 2u * 4u;
    return array<vec4<f32>, 8>(
        four(weights[q], shift, s), four(weights[q + 1u], shift, s),
        four(weights[q + 2u], shift, s), four(weights[q + 3u], shift, s),
        four(weights[q + 4u], shift, s), four(weights[q + 5u], shift, s),
        four(weights[q + 6u], shift, s), four(weights[q + 7u], shift, s));
}
