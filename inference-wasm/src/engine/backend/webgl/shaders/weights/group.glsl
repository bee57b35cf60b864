// Log2 of the groups of 32 weights in a block.
uniform int block_shift;

// The weights of a group, numbered through the whole matrix.
void unpack_group(int group, out vec4 w[8]) {
  int block = group >> block_shift;
  unpack(block, group - (block << block_shift), w);
}
