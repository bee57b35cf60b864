// Rows of the embedding table, by token ids: four columns per fragment.
uniform int ids[CHUNK_ROWS];
// Groups of 32 columns in a row of the table.
uniform int groups;
out vec4 result;

void main() {
  ivec2 at = here();
  if (at.x >= out_texels) {
    result = vec4(0.0);
    return;
  }
  int group = ids[at.y] * groups + (at.x >> 3);
  vec4 w[8];
  unpack_group(group, w);
  int i = at.x & 7;
  vec4 low = i < 2 ? (i == 0 ? w[0] : w[1]) : (i == 2 ? w[2] : w[3]);
  vec4 high = i < 6 ? (i == 4 ? w[4] : w[5]) : (i == 6 ? w[6] : w[7]);
  result = i < 4 ? low : high;
}
