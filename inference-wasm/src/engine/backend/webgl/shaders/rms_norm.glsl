// out = x / √(mean(x²) + epsilon) · scale, over each run of `size` columns: a whole row, or a head.
// Every fragment sums its run: one pass costs less than two.
uniform sampler2D x;
uniform ivec3 x_shape;
uniform sampler2D scale;
uniform ivec3 scale_shape;
// Columns of a run; a multiple of four where a row has more than one.
uniform int size;
uniform float epsilon;
out vec4 result;

vec4 square_of(ivec2 start, int first, int texel) {
  vec4 v = texel_of(x, x_shape, start, first + texel);
  return v * v;
}

void main() {
  ivec2 at = here();
  if (at.x >= out_texels) {
    result = vec4(0.0);
    return;
  }
  ivec2 start = row_start(x_shape, at.y);
  int texels = (size + 3) >> 2;
  int first = at.x / texels * texels;
  vec4 even = vec4(0.0);
  vec4 odd = vec4(0.0);
  // All but the last texel, which may have padding.
  int last = texels - 1;
  for (int i = 0; i + 1 < last; i += 2) {
    even += square_of(start, first, i);
    odd += square_of(start, first, i + 1);
  }
  if ((last & 1) == 1) even += square_of(start, first, last - 1);
  odd += mix(vec4(0.0), square_of(start, first, last), is_column(last, size));
  float mean = sum_of(even + odd) / float(size);
  vec4 v = texel_of(x, x_shape, start, at.x);
  vec4 s = texel_of(scale, scale_shape, ivec2(0), at.x - first);
  result = v / sqrt(mean + epsilon) * s;
}
