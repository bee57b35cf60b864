// Texel 0: scales; texels 1 and 2: bit 4 of each weight; texels 3 to 10: four quarters of 32 bytes.
vec4 four_of_q(uint low, uint high, int part) {
  return fields_of(low, 4 * (part & 1), 15u) + 16.0 * fields_of(high, part, 1u);
}

void unpack(int block, int part, out vec4 w[8]) {
  int at = 11 * block;
  int first = at + 3 + 2 * (part >> 1);
  vec2 s = scale_and_least(body_at(at), part);
  uvec4 high_a = body_at(at + 1);
  uvec4 high_b = body_at(at + 2);
  uvec4 a = body_at(first);
  uvec4 b = body_at(first + 1);
  w[0] = s.x * four_of_q(a.x, high_a.x, part) - s.y;
  w[1] = s.x * four_of_q(a.y, high_a.y, part) - s.y;
  w[2] = s.x * four_of_q(a.z, high_a.z, part) - s.y;
  w[3] = s.x * four_of_q(a.w, high_a.w, part) - s.y;
  w[4] = s.x * four_of_q(b.x, high_b.x, part) - s.y;
  w[5] = s.x * four_of_q(b.y, high_b.y, part) - s.y;
  w[6] = s.x * four_of_q(b.z, high_b.z, part) - s.y;
  w[7] = s.x * four_of_q(b.w, high_b.w, part) - s.y;
}
