// Functions for all kernels.

// The number of a workgroup in a grid whose first dimension has the maximal length and wraps.
fn flat(workgroup: vec3<u32>, grid: vec3<u32>) -> u32 {
    return workgroup.x + workgroup.y * grid.x;
}

// Four lanes, added as a tree.
fn across(lanes: vec4<f32>) -> f32 {
    return (lanes.x + lanes.y) + (lanes.z + lanes.w);
}

// Half precision to single, by the bits: `unpack2x16float` may flush subnormals, and scales can be
// subnormal.
fn half(bits: u32) -> f32 {
    return halves(vec4<u32>(bits)).x;
}

fn halves(bits: vec4<u32>) -> vec4<f32> {
    let sign = (bits & vec4<u32>(0x8000u)) << vec4<u32>(16u);
    let rest = bits & vec4<u32>(0x7fffu);
    let is_finite = rest < vec4<u32>(0x7c00u);
    let rebias = select(vec4<u32>(0x70000000u), vec4<u32>(0x38000000u), is_finite);
    let normal = (rest << vec4<u32>(13u)) + rebias;
    let subnormal = bitcast<vec4<u32>>(vec4<f32>(rest) * 5.9604644775390625e-8);
    let is_subnormal = rest < vec4<u32>(0x400u);
    return bitcast<vec4<f32>>(sign | select(normal, subnormal, is_subnormal));
}

// Single precision to half, ties to even, by the bits: the rounding of `pack2x16float` is
// unspecified.
fn to_half(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    let sign = (bits >> 16u) & 0x8000u;
    let rest = bits & 0x7fffffffu;
    if rest > 0x7f800000u {
        return sign | 0x7e00u;
    }
    if rest >= 0x47800000u {
        return sign | 0x7c00u;
    }
    if rest < 0x38800000u {
        return sign | u32(round(bitcast<f32>(rest) * 16777216.0));
    }
    let is_odd = (rest >> 13u) & 1u;
    return sign | ((rest - 0x38000000u + 0xfffu + is_odd) >> 13u);
}

// e to the power of x, for x ≤ 0.
fn decay(x: f32) -> f32 {
    return exp(max(x, -100.0));
}

// 1 / (1 + e to the power of -x), in a form that does not overflow and keeps its precision below
// zero.
fn sigmoid(x: f32) -> f32 {
    let e = decay(-abs(x));
    return select(1.0, e, x < 0.0) / (1.0 + e);
}

// The hyperbolic tangent. WGSL's own is imprecise near zero, and NaN on some drivers far from it.
fn precise_tanh(x: f32) -> f32 {
    if abs(x) < 0.625 {
        // Lambert's continued fraction.
        let z = x * x;
        return x / (1.0 + z / (3.0 + z / (5.0 + z / (7.0 + z / 9.0))));
    }
    let e = decay(-2.0 * abs(x));
    return sign(x) * (1.0 - e) / (1.0 + e);
}
