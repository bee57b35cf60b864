// Texels 0 and 1: bit 2 of each weight; texels 2 to 5: two halves of 32 bytes with bits 0 and 1;
// texel 6: sixteen scales of 6 bits, and the scale of the scales.

// Scale `i`, out of the 12 bytes that begin a texel.
float scale_of(uvec4 scales, int i) {
  uint low = scales[i >> 2 & 1] >> (8 * (i & 3) + 4 * (i >> 3)) & 15u;
  uint high = scales.z >> (8 * (i & 3) + 2 * (i >> 2)) & 3u;
  return float(low | high << 4) - 32.0;
}

vec4 four_of_q(uint low, uint high, int part) {
  return fields_of(low, 2 * (part & 3), 3u) + 4.0 * fields_of(high, part, 1u) - 4.0;
}

void unpack(int block, int part, out vec4 w[8]) {
  int at = 7 * block;
  int first = at + 2 + 2 * (part >> 2);
  uvec4 high_a = body_at(at);
  uvec4 high_b = body_at(at + 1);
  uvec4 a = body_at(first);
  uvec4 b = body_at(first + 1);
  uvec4 scales = body_at(at + 6);
  float d = half_of(scales.w & 0xffffu);
  float d0 = d * scale_of(scales, 2 * part);
  float d1 = d * scale_of(scales, 2 * part + 1);
  w[0] = d0 * four_of_q(a.x, high_a.x, part);
  w[1] = d0 * four_of_q(a.y, high_a.y, part);
  w[2] = d0 * four_of_q(a.z, high_a.z, part);
  w[3] = d0 * four_of_q(a.w, high_a.w, part);
  w[4] = d1 * four_of_q(b.x, high_b.x, part);
  w[5] = d1 * four_of_q(b.y, high_b.y, part);
  w[6] = d1 * four_of_q(b.z, high_b.z, part);
  w[7] = d1 * four_of_q(b.w, high_b.w, part);
}
