// The upper halves of floats.
vec4 halves_of(uvec2 words) {
  uvec4 bits = uvec4(words.x << 16, words.x, words.y << 16, words.y) & 0xffff0000u;
  return uintBitsToFloat(bits);
}

void unpack(int block, int part, out vec4 w[8]) {
  int at = 4 * block;
  uvec4 a = body_at(at);
  uvec4 b = body_at(at + 1);
  uvec4 c = body_at(at + 2);
  uvec4 d = body_at(at + 3);
  w[0] = halves_of(a.xy);
  w[1] = halves_of(a.zw);
  w[2] = halves_of(b.xy);
  w[3] = halves_of(b.zw);
  w[4] = halves_of(c.xy);
  w[5] = halves_of(c.zw);
  w[6] = halves_of(d.xy);
  w[7] = halves_of(d.zw);
}
