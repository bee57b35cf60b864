// Word 0: scale; words 1 to 8: weights.
fn unpack(at: u32, part: u32) -> array<vec4<f32>, 8> {
    let scale = low_half(weights[at]);
    return array<vec4<f32>, 8>(
        scale * signed_bytes(weights[at + 1u]), scale * signed_bytes(weights[at + 2u]),
        scale * signed_bytes(weights[at + 3u]), scale * signed_bytes(weights[at + 4u]),
        scale * signed_bytes(weights[at + 5u]), scale * signed_bytes(weights[at + 6u]),
        scale * signed_bytes(weights[at + 7u]), scale * signed_bytes(weights[at + 8u]));
}
