// Bit 4 of four weights, from a word with a bit for each of 32.
vec4 high_of(uint bits, int first) {
  return vec4(uvec4(bits >> first, bits >> (first + 1), bits >> (first + 2), bits >> (first + 3)) & 1u) * 16.0;
}

void unpack(int block, int part, out vec4 w[8]) {
  uvec4 q = body_at(block);
  uvec4 head = head_at(block);
  float d = half_of(head.x);
  float m = half_of(head.y);
  uint high = head.z | head.w << 16;
  w[0] = d * (fields_of(q.x, 0, 15u) + high_of(high, 0)) + m;
  w[1] = d * (fields_of(q.y, 0, 15u) + high_of(high, 4)) + m;
  w[2] = d * (fields_of(q.z, 0, 15u) + high_of(high, 8)) + m;
  w[3] = d * (fields_of(q.w, 0, 15u) + high_of(high, 12)) + m;
  w[4] = d * (fields_of(q.x, 4, 15u) + high_of(high, 16)) + m;
  w[5] = d * (fields_of(q.y, 4, 15u) + high_of(high, 20)) + m;
  w[6] = d * (fields_of(q.z, 4, 15u) + high_of(high, 24)) + m;
  w[7] = d * (fields_of(q.w, 4, 15u) + high_of(high, 28)) + m;
}
