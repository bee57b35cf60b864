// The 32 columns of a group, of rows that are whole groups.
void take(ivec2 start, int group, out vec4 v[8]) {
  int t = 8 * group;
  v[0] = texel_of(x, x_shape, start, t);
  v[1] = texel_of(x, x_shape, start, t + 1);
  v[2] = texel_of(x, x_shape, start, t + 2);
  v[3] = texel_of(x, x_shape, start, t + 3);
  v[4] = texel_of(x, x_shape, start, t + 4);
  v[5] = texel_of(x, x_shape, start, t + 5);
  v[6] = texel_of(x, x_shape, start, t + 6);
  v[7] = texel_of(x, x_shape, start, t + 7);
}
