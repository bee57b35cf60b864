// Attention, first pass: for each row and head, the scores of four positions.
//
// Row `r · heads + h` of the output is head `h` of row `r`; its columns are positions.
uniform sampler2D queries;
uniform ivec3 queries_shape;
uniform sampler2D keys;
uniform ivec3 cache_shape;
uniform int heads;
uniform int kv_heads;
uniform int head_size;
// First row of `queries` in this pass.
uniform int row_first;
// Position of row 0 of `queries`.
uniform int first;
// Positions that a row sees.
uniform int window;
uniform float scale;
// 0 for none.
uniform float cap;
out vec4 scores;

void main() {
  ivec2 at = here();
  int row = row_first + at.y / heads;
  int end = first + row + 1;
  int begin = max(end - window, 0);
  int position = 4 * at.x;
  // Not visible to any row: the second pass does not read these.
  if (at.x >= out_texels || position >= end || position + 3 < begin) {
    scores = vec4(0.0);
    return;
  }
  int head = at.y % heads;
  int kv_head = head * kv_heads / heads;
  ivec2 query_start = row_start(queries_shape, row);
  // Positions beyond the last one are read as the last one, and not used.
  int last = end - 1;
  ivec2 start_a = row_start(cache_shape, position);
  ivec2 start_b = row_start(cache_shape, min(position + 1, last));
  ivec2 start_c = row_start(cache_shape, min(position + 2, last));
  ivec2 start_d = row_start(cache_shape, min(position + 3, last));
  vec4 a = vec4(0.0);
  vec4 b = vec4(0.0);
  vec4 c = vec4(0.0);
  vec4 d = vec4(0.0);
  for (int i = 0; i < head_size; i += 4) {
    vec4 q = four_of(queries, queries_shape, query_start, head * head_size + i, head_size - i);
    int column = kv_head * head_size + i;
    a += q * four_of(keys, cache_shape, start_a, column, head_size - i);
    b += q * four_of(keys, cache_shape, start_b, column, head_size - i);
    c += q * four_of(keys, cache_shape, start_c, column, head_size - i);
    d += q * four_of(keys, cache_shape, start_d, column, head_size - i);
  }
  scores = vec4(sum_of(a), sum_of(b), sum_of(c), sum_of(d)) * scale;
  if (cap > 0.0) scores = cap * tangent(scores / cap);
}
