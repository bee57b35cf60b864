// Scale and least value of a group, 6 bits each, from words 1 to 3 of a block of Q4_K or Q5_K.
fn scale_and_least(at: u32, group: u32) -> vec2<f32> {
    let shift = group % 4u * 8u;
    let scale = (weights[at + 1u] >> shift) & 0xffu;
    let least = (weights[at + 2u] >> shift) & 0xffu;
    let rest = (weights[at + 3u] >> shift) & 0xffu;
    let first = vec2<u32>(scale & 63u, least & 63u);
    let last = vec2<u32>((rest & 15u) | ((scale >> 6u) << 4u), (rest >> 4u) | ((least >> 6u) << 4u));
    let both = select(last, first, group < 4u);
    return vec2<f32>(low_half(weights[at]), high_half(weights[at])) * vec2<f32>(both);
}
