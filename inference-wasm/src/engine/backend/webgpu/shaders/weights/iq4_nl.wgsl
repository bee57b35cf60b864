// Word 0: scale; words 1 to 4: pairs of indices into a table of 16 signed bytes.
const TABLE: vec4<u32> = vec4<u32>(0xbfad9881u, 0xf6eaddcfu, 0x26190d01u, 0x71594535u);

fn entry(index: u32) -> u32 {
    return (TABLE[index / 4u] >> (index % 4u * 8u)) & 0xffu;
}

fn four(word: u32, shift: u32, scale: f32) -> vec4<f32> {
    let i = fields(word, shift, 15u);
    let bytes = vec4<u32>(entry(i.x), entry(i.y), entry(i.z), entry(i.w)) << vec4<u32>(24u);
    return scale * vec4<f32>(bitcast<vec4<i32>>(bytes) >> vec4<u32>(24u));
}

fn unpack(at: u32, part: u32) -> array<vec4<f32>, 8> {
    let scale = low_half(weights[at]);
    let a = weights[at + 1u];
    let b = weights[at + 2u];
    let c = weights[at + 3u];
    let d = weights[at + 4u];
    return array<vec4<f32>, 8>(
        four(a, 0u, scale), four(b, 0u, scale), four(c, 0u, scale), four(d, 0u, scale),
        four(a, 4u, scale), four(b, 4u, scale), four(c, 4u, scale), four(d, 4u, scale));
}
