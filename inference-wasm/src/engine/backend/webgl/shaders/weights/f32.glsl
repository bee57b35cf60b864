void unpack(int block, int part, out vec4 w[8]) {
  int at = 8 * block;
  w[0] = uintBitsToFloat(body_at(at));
  w[1] = uintBitsToFloat(body_at(at + 1));
  w[2] = uintBitsToFloat(body_at(at + 2));
  w[3] = uintBitsToFloat(body_at(at + 3));
  w[4] = uintBitsToFloat(body_at(at + 4));
  w[5] = uintBitsToFloat(body_at(at + 5));
  w[6] = uintBitsToFloat(body_at(at + 6));
  w[7] = uintBitsToFloat(body_at(at + 7));
}
