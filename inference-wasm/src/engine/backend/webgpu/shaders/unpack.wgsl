// Functions that weight formats share. `weights` is the buffer of weights, as words.

@group(0) @binding(1) var<storage, read> weights: array<u32>;

// `byte >> shift & mask` for each byte of a word.
fn fields(word: u32, shift: u32, mask: u32) -> vec4<u32> {
    return (vec4<u32>(word) >> (vec4<u32>(0u, 8u, 16u, 24u) + vec4<u32>(shift)))
        & vec4<u32>(mask);
}

// Four bits from `first` on, as 0 or 1.
fn bits(word: u32, first: u32) -> vec4<u32> {
    return (vec4<u32>(word) >> (vec4<u32>(0u, 1u, 2u, 3u) + vec4<u32>(first))) & vec4<u32>(1u);
}

// The four bytes of a word as signed numbers.
fn signed_bytes(word: u32) -> vec4<f32> {
    let high = vec4<u32>(word) << vec4<u32>(24u, 16u, 8u, 0u);
    return vec4<f32>(bitcast<vec4<i32>>(high) >> vec4<u32>(24u));
}

// Byte `index`, counted from word `at` on.
fn byte(at: u32, index: u32) -> u32 {
    return (weights[at + index / 4u] >> (index % 4u * 8u)) & 0xffu;
}

// A scale in the low half of a word.
fn low_half(word: u32) -> f32 {
    return half(word & 0xffffu);
}

// A scale in the high half of a word.
fn high_half(word: u32) -> f32 {
    return half(word >> 16u);
}
