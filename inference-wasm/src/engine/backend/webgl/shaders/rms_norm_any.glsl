// The same where runs lie across texels: each column separately.
uniform sampler2D x;
uniform ivec3 x_shape;
uniform sampler2D scale;
uniform ivec3 scale_shape;
uniform int columns;
uniform int size;
uniform float epsilon;
out vec4 result;

float normed(ivec2 start, int column) {
  int first = min(column, columns - 1) / size * size;
  float sum = 0.0;
  for (int i = 0; i < size; ++i) {
    float v = column_of(x, x_shape, start, first + i);
    sum += v * v;
  }
  float root = sqrt(sum / float(size) + epsilon);
  float s = column_of(scale, scale_shape, ivec2(0), column - first);
  return column_of(x, x_shape, start, column) / root * s;
}

void main() {
  ivec2 at = here();
  if (at.x >= out_texels) {
    result = vec4(0.0);
    return;
  }
  ivec2 start = row_start(x_shape, at.y);
  int column = 4 * at.x;
  result = vec4(normed(start, column), normed(start, column + 1), normed(start, column + 2),
    normed(start, column + 3));
}
