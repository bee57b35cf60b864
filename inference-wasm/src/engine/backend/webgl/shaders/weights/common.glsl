// Weights as stored: see `weights.rs` for the layout.

// The blocks without their heads: whole texels of 16 bytes each.
uniform usampler2D body;
// Log2 of the texels in a line.
uniform int body_shift;
// The head of each block: a texel of 16-bit numbers.
uniform usampler2D heads_of_blocks;
uniform int heads_shift;

uvec4 body_at(int texel) {
  int line = texel >> body_shift;
  return texelFetch(body, ivec2(texel - (line << body_shift), line), 0);
}

uvec4 head_at(int block) {
  int line = block >> heads_shift;
  return texelFetch(heads_of_blocks, ivec2(block - (line << heads_shift), line), 0);
}

// The half-precision number with these 16 bits.
float half_of(uint bits) {
  return unpackHalf2x16(bits).x;
}

// The four bytes of a word, unsigned and signed.
vec4 bytes_of(uint word) {
  return vec4(uvec4(word, word >> 8, word >> 16, word >> 24) & 255u);
}

vec4 signed_bytes_of(uint word) {
  return vec4(ivec4(uvec4(word << 24, word << 16, word << 8, word)) >> 24);
}

// Some bits of each byte of a word.
vec4 fields_of(uint word, int shift, uint mask) {
  return vec4(uvec4(word >> shift, word >> (shift + 8), word >> (shift + 16), word >> (shift + 24)) & mask);
}

// The same as integers.
uvec4 field_bits(uint word, int shift, uint mask) {
  return uvec4(word >> shift, word >> (shift + 8), word >> (shift + 16), word >> (shift + 24)) & mask;
}
