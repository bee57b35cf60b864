// The backend's assumptions: floats and integers keep their bits, sums have 23 bits of mantissa,
// and half-precision numbers are unpacked exactly. One fragment for each.
uniform sampler2D floats;
uniform usampler2D bits;
out vec4 result;

void main() {
  vec4 f = texelFetch(floats, ivec2(0), 0);
  uvec4 u = texelFetch(bits, ivec2(0), 0);
  int which = int(gl_FragCoord.x);
  if (which == 0) {
    result = uintBitsToFloat(floatBitsToUint(f));
  } else if (which == 1) {
    // f.x is 1 + 2⁻²³, f.y is 4097.
    result = vec4(f.x - 1.0, f.y * (f.y - 2.0), 1.0 / f.y * f.y, sqrt(f.y * f.y));
  } else if (which == 2) {
    result = vec4(u & 0xffffffu);
  } else {
    result = vec4(unpackHalf2x16(u.x), unpackHalf2x16(u.y));
  }
}
