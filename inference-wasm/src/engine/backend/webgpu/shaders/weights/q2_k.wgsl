// Words 0 to 3: scale and least value of each 16, 4 bits each; words 4 to 19: two halves of 32
// bytes, four groups in the bits of each; word 20: scale of the scales, and of the least values.
fn four(word: u32, shift: u32, scale: f32, least: f32) -> vec4<f32> {
    return scale * vec4<f32>(fields(word, shift, 3u)) - least;
}

fn unpack(at: u32, part: u32) -> array<vec4<f32>, 8> {
    let both = weights[at + part / 2u] >> (part % 2u * 16u);
    let d = low_half(weights[at + 20u]);
    let e = high_half(weights[at + 20u]);
    let s = d * f32(both & 15u);
    let m = e * f32((both >> 4u) & 15u);
    let t = d * f32((both >> 8u) & 15u);
    let n = e * f32((both >> 12u) & 15u);
    let q = at + 4u + part / 4u * 8u;
    let shift = part % 4u * 2u;
    return array<vec4<f32>, 8>(
        four(weights[q], shift, s, m), four(weights[q + 1u], shift, s, m),
        four(weights[q + 2u], shift, s, m), four(weights[q + 3u], shift, s, m),
        four(weights[q + 4u], shift, t, n), four(weights[q + 5u], shift, t, n),
        four(weights[q + 6u], shift, t, n), four(weights[q + 7u], shift, t, n));
}
