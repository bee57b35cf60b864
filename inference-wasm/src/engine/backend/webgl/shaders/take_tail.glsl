// Four columns of a row, 0 for those beyond its end, which may hold NaN.
vec4 within(ivec2 start, int t) {
  int last = (columns - 1) >> 2;
  return mix(vec4(0.0), texel_of(x, x_shape, start, min(t, last)), is_column(t, columns));
}

// The 32 columns of a group, of rows that may end within one.
void take(ivec2 start, int group, out vec4 v[8]) {
  int t = 8 * group;
  v[0] = within(start, t);
  v[1] = within(start, t + 1);
  v[2] = within(start, t + 2);
  v[3] = within(start, t + 3);
  v[4] = within(start, t + 4);
  v[5] = within(start, t + 5);
  v[6] = within(start, t + 6);
  v[7] = within(start, t + 7);
}
