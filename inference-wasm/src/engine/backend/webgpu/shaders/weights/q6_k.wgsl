// Words 0 to 31: bits 0 to 3, halves of 16 words; words 32 to 47: bits 4 and 5, halves of 8; words
// 48 to 51: sixteen signed scales; word 52: scale of the scales.
fn four(low: u32, shift: u32, high: u32, shift_high: u32, scale: f32) -> vec4<f32> {
    let q = fields(low, shift, 15u) | (fields(high, shift_high, 3u) << vec4<u32>(4u));
    return scale * (vec4<f32>(q) - 32.0);
}

fn unpack(at: u32, part: u32) -> array<vec4<f32>, 8> {
    let scales = signed_bytes(weights[at + 48u + part / 2u] >> (part % 2u * 16u));
    let d = low_half(weights[at + 52u]);
    let s = d * scales.x;
    let t = d * scales.y;
    let q = at + part / 4u * 16u + part % 2u * 8u;
    let shift = part / 2u % 2u * 4u;
    let h = at + 32u + part / 4u * 8u;
    let up = part % 4u * 2u;
    return array<vec4<f32>, 8>(
        four(weights[q], shift, weights[h], up, s),
        four(weights[q + 1u], shift, weights[h + 1u], up, s),
        four(weights[q + 2u], shift, weights[h + 2u], up, s),
        four(weights[q + 3u], shift, weights[h + 3u], up, s),
        four(weights[q + 4u], shift, weights[h + 4u], up, t),
        four(weights[q + 5u], shift, weights[h + 5u], up, t),
        four(weights[q + 6u], shift, weights[h + 6u], up, t),
        four(weights[q + 7u], shift, weights[h + 7u], up, t));
}
