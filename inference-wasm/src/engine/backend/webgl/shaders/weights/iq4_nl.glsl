// The table's 16 entries, four to a word: -127 -104 -83 -65 -49 -35 -22 -10 1 13 25 38 53 69 89 113.
//
// Selected by masks: SwiftShader takes minutes to compile a branch for each of the 128 weights of a
// pass.
vec4 entries_of(uint word, int shift) {
  uvec4 q = field_bits(word, shift, 15u);
  uvec4 is_high = 0u - (q >> 3);
  uvec4 is_odd = 0u - (q >> 2 & 1u);
  uvec4 low = 0xbfad9881u & ~is_odd | 0xf6eaddcfu & is_odd;
  uvec4 high = 0x26190d01u & ~is_odd | 0x71594535u & is_odd;
  uvec4 four = low & ~is_high | high & is_high;
  return vec4(ivec4(four << (24u - 8u * (q & 3u))) >> 24);
}

void unpack(int block, int part, out vec4 w[8]) {
  uvec4 q = body_at(block);
  uvec4 head = head_at(block);
  float d = half_of(head.x);
  w[0] = d * entries_of(q.x, 0);
  w[1] = d * entries_of(q.y, 0);
  w[2] = d * entries_of(q.z, 0);
  w[3] = d * entries_of(q.w, 0);
  w[4] = d * entries_of(q.x, 4);
  w[5] = d * entries_of(q.y, 4);
  w[6] = d * entries_of(q.z, 4);
  w[7] = d * entries_of(q.w, 4);
}
