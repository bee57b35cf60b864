// Four columns from `column` on, where heads are multiples of four: one texel.
vec4 four_of(sampler2D tensor, ivec3 shape, ivec2 start, int column, int left) {
  return texel_of(tensor, shape, start, column >> 2);
}
