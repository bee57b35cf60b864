// An element-wise op: `out = apply(x, y)`.
uniform sampler2D x;
uniform ivec3 x_shape;
uniform sampler2D y;
uniform ivec3 y_shape;
// 1 if each row has its own row of `y`, 0 if all share the first.
uniform int y_step;
out vec4 result;

void main() {
  ivec2 at = here();
  if (at.x >= out_texels) {
    result = vec4(0.0);
    return;
  }
  vec4 a = texel_of(x, x_shape, row_start(x_shape, at.y), at.x);
  vec4 b = texel_of(y, y_shape, row_start(y_shape, at.y * y_step), at.x);
  result = apply(a, b);
}
