// An element-wise op: `out = apply(x)`.
uniform sampler2D x;
uniform ivec3 x_shape;
// The row of `x` for the first row of the output.
uniform int x_first;
out vec4 result;

void main() {
  ivec2 at = here();
  if (at.x >= out_texels) {
    result = vec4(0.0);
    return;
  }
  result = apply(texel_of(x, x_shape, row_start(x_shape, at.y + x_first), at.x));
}
