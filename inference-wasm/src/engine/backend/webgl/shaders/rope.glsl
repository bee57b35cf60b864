// Rotates each pair of each head by the angle of its position. Column by column: heads need not be
// multiples of four, and pairs may be far apart.
uniform sampler2D x;
uniform ivec3 x_shape;
uniform sampler2D angles;
uniform ivec3 angles_shape;
uniform int columns;
uniform int head_size;
// Rotated columns of a head, from its start.
uniform int rotated;
// 1: pair i is (2i, 2i + 1); 0: it is (i, i + rotated / 2).
uniform int interleaved;
// Position of the first row.
uniform int first;
out vec4 result;

float turned(ivec2 start, ivec2 angle_start, int column) {
  float own = column_of(x, x_shape, start, column);
  int place = column % head_size;
  if (place >= rotated) return own;
  int half_way = rotated >> 1;
  bool is_second = interleaved == 1 ? (place & 1) == 1 : place >= half_way;
  int pair = interleaved == 1 ? place >> 1 : (is_second ? place - half_way : place);
  int step_ = interleaved == 1 ? 1 : half_way;
  float other = column_of(x, x_shape, start, is_second ? column - step_ : column + step_);
  vec4 two = texel_of(angles, angles_shape, angle_start, pair >> 1);
  vec2 angle = (pair & 1) == 1 ? two.zw : two.xy;
  return is_second ? other * angle.y + own * angle.x : own * angle.x - other * angle.y;
}

void main() {
  ivec2 at = here();
  if (at.x >= out_texels) {
    result = vec4(0.0);
    return;
  }
  ivec2 start = row_start(x_shape, at.y);
  ivec2 angle_start = row_start(angles_shape, first + at.y);
  // A padding column is rotated with any column in reach: its value is never used.
  int column = 4 * at.x;
  int last = columns - 1;
  result = vec4(
    turned(start, angle_start, column),
    turned(start, angle_start, min(column + 1, last)),
    turned(start, angle_start, min(column + 2, last)),
    turned(start, angle_start, min(column + 3, last)));
}
