// Word 0: scale and least value; words 1 to 4: pairs, the first 16 weights in the low nibbles.
fn four(word: u32, shift: u32, scale: f32, least: f32) -> vec4<f32> {
    return scale * vec4<f32>(fields(word, shift, 15u)) + least;
}

fn unpack(at: u32, part: u32) -> array<vec4<f32>, 8> {
    let scale = low_half(weights[at]);
    let m = high_half(weights[at]);
    let a = weights[at + 1u];
    let b = weights[at + 2u];
    let c = weights[at + 3u];
    let d = weights[at + 4u];
    return array<vec4<f32>, 8>(
        four(a, 0u, scale, m), four(b, 0u, scale, m), four(c, 0u, scale, m), four(d, 0u, scale, m),
        four(a, 4u, scale, m), four(b, 4u, scale, m), four(c, 4u, scale, m), four(d, 4u, scale, m));
}
