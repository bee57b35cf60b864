// Word 0: scale and least value; word 1: a high bit of each weight; words 2 to 5: pairs.
fn four(word: u32, shift: u32, high: vec4<u32>, scale: f32, least: f32) -> vec4<f32> {
    let q = fields(word, shift, 15u) | (high << vec4<u32>(4u));
    return scale * vec4<f32>(q) + least;
}

fn unpack(at: u32, part: u32) -> array<vec4<f32>, 8> {
    let scale = low_half(weights[at]);
    let m = high_half(weights[at]);
    let h = weights[at + 1u];
    let a = weights[at + 2u];
    let b = weights[at + 3u];
    let c = weights[at + 4u];
    let d = weights[at + 5u];
    return array<vec4<f32>, 8>(
        four(a, 0u, bits(h, 0u), scale, m), four(b, 0u, bits(h, 4u), scale, m),
        four(c, 0u, bits(h, 8u), scale, m), four(d, 0u, bits(h, 12u), scale, m),
        four(a, 4u, bits(h, 16u), scale, m), four(b, 4u, bits(h, 20u), scale, m),
        four(c, 4u, bits(h, 24u), scale, m), four(d, 4u, bits(h, 28u), scale, m));
}
