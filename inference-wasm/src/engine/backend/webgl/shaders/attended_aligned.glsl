// Heads are multiples of four: a texel lies in one of them.
vec4 attended(int row, int column) {
  int head = column / head_size;
  return attend(row, head, column - head * head_size);
}
