// Words 0 to 7: bit 2 of the weights, one bit per group; words 8 to 23: bits 0 and 1, as in Q2_K;
// words 24 to 26: sixteen scales of 6 bits; word 27: scale of the scales.
fn part_scale(at: u32, i: u32) -> f32 {
    let low = (byte(at + 24u, i % 8u) >> (i / 8u * 4u)) & 15u;
    let high = (byte(at + 26u, i % 4u) >> (i / 4u * 2u)) & 3u;
    return f32(low | (high << 4u)) - 32.0;
}

fn four(low: u32, shift: u32, high: u32, group: u32, scale: f32) -> vec4<f32> {
    let q = fields(low, shift, 3u) | (fields(high, group, 1u) << vec4<u32>(2u));
    return scale * (vec4<f32>(q) - 4.0);
}

fn unpack(at: u32, part: u32) -> array<vec4<f32>, 8> {
    let d = low_half(weights[at + 27u]);
    let s = d * part_scale(at, part * 2u);
    let t = d * part_scale(at, part * 2u + 1u);
    let q = at + 8u + part / 4u * 8u;
    let shift = part % 4u * 2u;
    return array<vec4<f32>, 8>(
        four(weights[q], shift, weights[at], part, s),
        four(weights[q + 1u], shift, weights[at + 1u], part, s),
        four(weights[q + 2u], shift, weights[at + 2u], part, s),
        four(weights[q + 3u], shift, weights[at + 3u], part, s),
        four(weights[q + 4u], shift, weights[at + 4u], part, t),
        four(weights[q + 5u], shift, weights[at + 5u], part, t),
        four(weights[q + 6u], shift, weights[at + 6u], part, t),
        four(weights[q + 7u], shift, weights[at + 7u], part, t));
}
