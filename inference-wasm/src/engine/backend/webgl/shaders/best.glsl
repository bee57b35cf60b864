// The greatest value of each slice of a row: (value, its column, the first column with NaN or -1,
// 0), one texel per slice.
uniform sampler2D x;
uniform ivec3 x_shape;
uniform int columns;
// Texels of a slice.
uniform int slice;
out vec4 result;

void main() {
  ivec2 at = here();
  int texel = at.x * slice;
  int last = min(texel + slice, (columns + 3) >> 2);
  int best = 4 * texel;
  float greatest = column_of(x, x_shape, ivec2(0), min(best, columns - 1));
  int first_nan = -1;
  for (; texel < last; ++texel) {
    vec4 v = texel_of(x, x_shape, ivec2(0), texel);
    // By its bits: a comparison may treat NaN as a number.
    uvec4 magnitude = floatBitsToUint(v) & 0x7fffffffu;
    for (int i = 0; i < 4; ++i) {
      int column = 4 * texel + i;
      if (column >= columns) break;
      if (magnitude[i] > 0x7f800000u) {
        if (first_nan < 0) first_nan = column;
      } else if (v[i] > greatest) {
        greatest = v[i];
        best = column;
      }
    }
  }
  result = vec4(greatest, float(best), float(first_nan), 0.0);
}
