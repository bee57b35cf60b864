// Heads lie across texels: each column separately.
float attended_column(int row, int column) {
  int head = min(column, columns - 1) / head_size;
  return attend(row, head, column - head * head_size).x;
}

vec4 attended(int row, int column) {
  return vec4(attended_column(row, column), attended_column(row, column + 1),
    attended_column(row, column + 2), attended_column(row, column + 3));
}
