// Attention, second pass: for each row and head, softmax over the scores, and the sum of the values
// by those weights: four columns per fragment.
uniform sampler2D scores;
uniform ivec3 scores_shape;
uniform sampler2D values;
uniform ivec3 cache_shape;
uniform int columns;
uniform int heads;
uniform int kv_heads;
uniform int head_size;
// First row of the output in this pass.
uniform int row_first;
// Position of row 0 of the output.
uniform int first;
// Positions that a row sees.
uniform int window;
out vec4 result;

// The scores of four positions; LEAST for those that the row does not see.
const float LEAST = -3.0e38;

vec4 seen_of(ivec2 start, int texel, int begin, int end, out bvec4 is_seen) {
  ivec4 position = ivec4(0, 1, 2, 3) + 4 * texel;
  vec4 v = texel_of(scores, scores_shape, start, texel);
  bvec4 is_late = greaterThanEqual(position, ivec4(begin));
  bvec4 is_early = lessThan(position, ivec4(end));
  is_seen = bvec4(is_late.x && is_early.x, is_late.y && is_early.y, is_late.z && is_early.z,
    is_late.w && is_early.w);
  return mix(vec4(LEAST), v, is_seen);
}

// Four columns of the result of head `head` of row `row`, from `column` of the head on.
vec4 attend(int row, int head, int column) {
  int end = first + row + 1;
  int begin = max(end - window, 0);
  ivec2 start = row_start(scores_shape, (row - row_first) * heads + head);
  int first_texel = begin >> 2;
  int last_texel = (end - 1) >> 2;
  bvec4 is_seen;
  vec4 most = vec4(LEAST);
  for (int t = first_texel; t <= last_texel; ++t) {
    most = max(most, seen_of(start, t, begin, end, is_seen));
  }
  // Subtracted, so that `exp` can't overflow.
  float greatest = max(max(most.x, most.y), max(most.z, most.w));
  int from = head * kv_heads / heads * head_size + column;
  int left = head_size - column;
  int last = end - 1;
  vec4 weights = vec4(0.0);
  vec4 a = vec4(0.0);
  vec4 b = vec4(0.0);
  for (int t = first_texel; t <= last_texel; ++t) {
    vec4 w = exp(seen_of(start, t, begin, end, is_seen) - greatest);
    w = mix(vec4(0.0), w, is_seen);
    weights += w;
    // Positions that the row does not see are read as the nearest that it does, with weight 0.
    int p = 4 * t;
    a += w.x * four_of(values, cache_shape, row_start(cache_shape, max(p, begin)), from, left);
    b += w.y * four_of(values, cache_shape, row_start(cache_shape, clamp(p + 1, begin, last)), from, left);
    a += w.z * four_of(values, cache_shape, row_start(cache_shape, clamp(p + 2, begin, last)), from, left);
    b += w.w * four_of(values, cache_shape, row_start(cache_shape, min(p + 3, last)), from, left);
  }
  return (a + b) / sum_of(weights);
}

// Four columns of a row.
vec4 attended(int row, int column);

void main() {
  ivec2 at = here();
  result = at.x >= out_texels ? vec4(0.0) : attended(at.y, 4 * at.x);
}
