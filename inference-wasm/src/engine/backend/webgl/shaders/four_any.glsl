// Four columns from `column` on, where heads lie across texels; 0 for those beyond the head's
// `left` remaining ones.
vec4 four_of(sampler2D tensor, ivec3 shape, ivec2 start, int column, int left) {
  return vec4(
    column_of(tensor, shape, start, column),
    left > 1 ? column_of(tensor, shape, start, column + 1) : 0.0,
    left > 2 ? column_of(tensor, shape, start, column + 2) : 0.0,
    left > 3 ? column_of(tensor, shape, start, column + 3) : 0.0);
}
