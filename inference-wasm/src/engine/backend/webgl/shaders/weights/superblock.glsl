// Scale and least value of a group, 6 bits each, from the first texel of `Q4_K` and `Q5_K`: two
// half-precision factors, and twelve bytes for eight of both.
vec2 scale_and_least(uvec4 scales, int part) {
  vec2 factors = unpackHalf2x16(scales.x);
  int shift = 8 * (part & 3);
  uint scale = scales.y >> shift & 255u;
  uint least = scales.z >> shift & 255u;
  uint rest = scales.w >> shift & 255u;
  uvec2 both = part < 4
    ? uvec2(scale, least) & 63u
    : uvec2(rest & 15u | scale >> 6 << 4, rest >> 4 | least >> 6 << 4);
  return factors * vec2(both);
}

