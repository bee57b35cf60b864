// Heads are multiples of four: a texel is inside one head.
vec4 attended(int row, int column) {
  int head = column / head_size;
  return attend(row, head, column - head * head_size);
}
