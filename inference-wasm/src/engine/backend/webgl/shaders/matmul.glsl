// Four outputs of one row. Each output has eight lanes: products of even texels of its row are
// summed in one vector, those of odd texels in another, and the lanes are added in a fixed order.
uniform sampler2D x;
uniform ivec3 x_shape;
// Groups of 32 columns in a row of the matrix.
uniform int groups;
uniform int columns;
// Rows of the matrix.
uniform int outputs;
out vec4 result;

// The 32 columns of a group of the row that begins at `start`.
void take(ivec2 start, int group, out vec4 v[8]);

void multiply(int group, vec4 v[8], inout vec4 even, inout vec4 odd) {
  vec4 w[8];
  unpack_group(group, w);
  even += w[0] * v[0];
  odd += w[1] * v[1];
  even += w[2] * v[2];
  odd += w[3] * v[3];
  even += w[4] * v[4];
  odd += w[5] * v[5];
  even += w[6] * v[6];
  odd += w[7] * v[7];
}

void main() {
  ivec2 at = here();
  if (at.x >= out_texels) {
    result = vec4(0.0);
    return;
  }
  ivec2 start = row_start(x_shape, at.y);
  // Outputs that are padding repeat the last one.
  ivec4 first = min(ivec4(0, 1, 2, 3) + 4 * at.x, ivec4(outputs - 1)) * groups;
  vec4 even0 = vec4(0.0);
  vec4 odd0 = vec4(0.0);
  vec4 even1 = vec4(0.0);
  vec4 odd1 = vec4(0.0);
  vec4 even2 = vec4(0.0);
  vec4 odd2 = vec4(0.0);
  vec4 even3 = vec4(0.0);
  vec4 odd3 = vec4(0.0);
  for (int g = 0; g < groups; ++g) {
    vec4 v[8];
    take(start, g, v);
    multiply(first.x + g, v, even0, odd0);
    multiply(first.y + g, v, even1, odd1);
    multiply(first.z + g, v, even2, odd2);
    multiply(first.w + g, v, even3, odd3);
  }
  result = vec4(sum_of(even0 + odd0), sum_of(even1 + odd1), sum_of(even2 + odd2),
    sum_of(even3 + odd3));
}
