// Texel 0: scale and least value of each 16 weights; texels 1 to 4: two halves of 32 bytes.
void unpack(int block, int part, out vec4 w[8]) {
  int at = 5 * block;
  int first = at + 1 + 2 * (part >> 2);
  uvec4 a = body_at(first);
  uvec4 b = body_at(first + 1);
  uvec4 head = head_at(block);
  // Scales 2 · part and 2 · part + 1.
  uint scales = body_at(at)[part >> 1] >> (16 * (part & 1));
  float d = half_of(head.x);
  float e = half_of(head.y);
  float d0 = d * float(scales & 15u);
  float m0 = e * float(scales >> 4 & 15u);
  float d1 = d * float(scales >> 8 & 15u);
  float m1 = e * float(scales >> 12 & 15u);
  int shift = 2 * (part & 3);
  w[0] = d0 * fields_of(a.x, shift, 3u) - m0;
  w[1] = d0 * fields_of(a.y, shift, 3u) - m0;
  w[2] = d0 * fields_of(a.z, shift, 3u) - m0;
  w[3] = d0 * fields_of(a.w, shift, 3u) - m0;
  w[4] = d1 * fields_of(b.x, shift, 3u) - m1;
  w[5] = d1 * fields_of(b.y, shift, 3u) - m1;
  w[6] = d1 * fields_of(b.z, shift, 3u) - m1;
  w[7] = d1 * fields_of(b.w, shift, 3u) - m1;
}
