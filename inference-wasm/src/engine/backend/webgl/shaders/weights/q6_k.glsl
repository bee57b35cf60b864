// Texels 0 to 7: bits 0 to 3, two halves of 64 bytes; texels 8 to 11: bits 4 and 5, two halves of
// 32 bytes; texel 12: sixteen scales.
vec4 four_of_q(uint low, uint high, int part) {
  return fields_of(low, 4 * (part >> 1 & 1), 15u) + 16.0 * fields_of(high, 2 * (part & 3), 3u) - 32.0;
}

void unpack(int block, int part, out vec4 w[8]) {
  int at = 13 * block;
  int first = at + 4 * (part >> 2) + 2 * (part & 1);
  int first_high = at + 8 + 2 * (part >> 2);
  uvec4 a = body_at(first);
  uvec4 b = body_at(first + 1);
  uvec4 high_a = body_at(first_high);
  uvec4 high_b = body_at(first_high + 1);
  // Scales 2 · part and 2 · part + 1.
  uint scales = body_at(at + 12)[part >> 1] >> (16 * (part & 1));
  float d = half_of(head_at(block).x);
  float d0 = d * float(int(scales << 24) >> 24);
  float d1 = d * float(int(scales << 16) >> 24);
  w[0] = d0 * four_of_q(a.x, high_a.x, part);
  w[1] = d0 * four_of_q(a.y, high_a.y, part);
  w[2] = d0 * four_of_q(a.z, high_a.z, part);
  w[3] = d0 * four_of_q(a.w, high_a.w, part);
  w[4] = d1 * four_of_q(b.x, high_b.x, part);
  w[5] = d1 * four_of_q(b.y, high_b.y, part);
  w[6] = d1 * four_of_q(b.z, high_b.z, part);
  w[7] = d1 * four_of_q(b.w, high_b.w, part);
}
