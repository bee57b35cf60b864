#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
precision highp usampler2D;

// Where a tensor's floats lie: see `layout.rs`.
// A shape is (log2 of the texels in a line, lines of a row, log2 of the rows in a band).

// The first texel of a row.
ivec2 row_start(ivec3 shape, int row) {
  int band = row >> shape.z;
  return ivec2(band << shape.x, (row - (band << shape.z)) * shape.y);
}

// A texel of the row that begins at `start`: four columns.
vec4 texel_of(sampler2D tensor, ivec3 shape, ivec2 start, int texel) {
  int line = texel >> shape.x;
  return texelFetch(tensor, start + ivec2(texel - (line << shape.x), line), 0);
}

// One column of the row that begins at `start`.
float column_of(sampler2D tensor, ivec3 shape, ivec2 start, int column) {
  return texel_of(tensor, shape, start, column >> 2)[column & 3];
}

uniform ivec3 out_shape;
// Texels of a row of the output that hold columns; lines may have some more.
uniform int out_texels;

// The texel and the row that this fragment is.
ivec2 here() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  int line = at.y / out_shape.y;
  int band = at.x >> out_shape.x;
  int texel = ((at.y - line * out_shape.y) << out_shape.x) + at.x - (band << out_shape.x);
  return ivec2(texel, (band << out_shape.z) + line);
}

// 1 for the columns of a texel that are below `columns`, 0 for those that are padding.
bvec4 is_column(int texel, int columns) {
  return lessThan(ivec4(0, 1, 2, 3) + 4 * texel, ivec4(columns));
}

// Adds the lanes of a vector: pairs first.
float sum_of(vec4 v) {
  return (v.x + v.y) + (v.z + v.w);
}
