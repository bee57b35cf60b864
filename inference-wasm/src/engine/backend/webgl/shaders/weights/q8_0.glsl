void unpack(int block, int part, out vec4 w[8]) {
  uvec4 a = body_at(2 * block);
  uvec4 b = body_at(2 * block + 1);
  float d = half_of(head_at(block).x);
  w[0] = d * signed_bytes_of(a.x);
  w[1] = d * signed_bytes_of(a.y);
  w[2] = d * signed_bytes_of(a.z);
  w[3] = d * signed_bytes_of(a.w);
  w[4] = d * signed_bytes_of(b.x);
  w[5] = d * signed_bytes_of(b.y);
  w[6] = d * signed_bytes_of(b.z);
  w[7] = d * signed_bytes_of(b.w);
}
