// Texel 0: scales; texels 1 to 8: four quarters of 32 bytes.
void unpack(int block, int part, out vec4 w[8]) {
  int at = 9 * block;
  int first = at + 1 + 2 * (part >> 1);
  vec2 s = scale_and_least(body_at(at), part);
  uvec4 a = body_at(first);
  uvec4 b = body_at(first + 1);
  int shift = 4 * (part & 1);
  w[0] = s.x * fields_of(a.x, shift, 15u) - s.y;
  w[1] = s.x * fields_of(a.y, shift, 15u) - s.y;
  w[2] = s.x * fields_of(a.z, shift, 15u) - s.y;
  w[3] = s.x * fields_of(a.w, shift, 15u) - s.y;
  w[4] = s.x * fields_of(b.x, shift, 15u) - s.y;
  w[5] = s.x * fields_of(b.y, shift, 15u) - s.y;
  w[6] = s.x * fields_of(b.z, shift, 15u) - s.y;
  w[7] = s.x * fields_of(b.w, shift, 15u) - s.y;
}
