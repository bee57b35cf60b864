// Words 0 to 3 as in Q4_K; words 4 to 11: bit 4 of the weights, one bit per group; words 12 to 43:
// pairs, two groups in 32 bytes.
fn four(word: u32, shift: u32, high: u32, group: u32, scales: vec2<f32>) -> vec4<f32> {
    let q = fields(word, shift, 15u) | (fields(high, group, 1u) << vec4<u32>(4u));
    return scales.x * vec4<f32>(q) - scales.y;
}

fn unpack(at: u32, part: u32) -> array<vec4<f32>, 8> {
    let s = scale_and_least(at, part);
    let h = at + 4u;
    let q = at + 12u + part / 2u * 8u;
    let shift = part % 2u * 4u;
    return array<vec4<f32>, 8>(
        four(weights[q], shift, weights[h], part, s),
        four(weights[q + 1u], shift, weights[h + 1u], part, s),
        four(weights[q + 2u], shift, weights[h + 2u], part, s),
        four(weights[q + 3u], shift, weights[h + 3u], part, s),
        four(weights[q + 4u], shift, weights[h + 4u], part, s),
        four(weights[q + 5u], shift, weights[h + 5u], part, s),
        four(weights[q + 6u], shift, weights[h + 6u], part, s),
        four(weights[q + 7u], shift, weights[h + 7u], part, s));
}
