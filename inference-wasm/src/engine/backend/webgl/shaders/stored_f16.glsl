uvec4 either(uvec4 no, uvec4 yes, bvec4 which) {
  return uvec4(which.x ? yes.x : no.x, which.y ? yes.y : no.y, which.z ? yes.z : no.z,
    which.w ? yes.w : no.w);
}

// The nearest half-precision number, ties to even. Rounded here, since a write to a half-precision
// target may round either way; it does not change exact values.
vec4 stored(vec4 v) {
  uvec4 bits = floatBitsToUint(v);
  uvec4 magnitude = bits & 0x7fffffffu;
  // Drops 13 bits of mantissa.
  uvec4 rounded = (magnitude + 0xfffu + (magnitude >> 13 & 1u)) & ~0x1fffu;
  // Infinity from 65520 on.
  rounded = either(rounded, uvec4(0x7f800000u), greaterThan(rounded, uvec4(0x477fe000u)));
  // NaN stays NaN.
  rounded = either(rounded, magnitude, greaterThan(magnitude, uvec4(0x7f800000u)));
  vec4 normal = uintBitsToFloat(rounded | bits & 0x80000000u);
  // Below 2⁻¹⁴, halves are multiples of 2⁻²⁴.
  vec4 small = roundEven(v * 16777216.0) * (1.0 / 16777216.0);
  return mix(normal, small, lessThan(magnitude, uvec4(0x38800000u)));
}
