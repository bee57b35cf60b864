#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
precision highp usampler2D;

// The layout of a tensor's floats: see `layout.rs`. A shape is (log2 of the texels in a line, lines
// of a row, log2 of the rows in a band).

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
// Texels of an output row that hold columns; lines may have more.
uniform int out_texels;

// The texel and the row of this fragment.
ivec2 here() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  int line = at.y / out_shape.y;
  int band = at.x >> out_shape.x;
  int texel = ((at.y - line * out_shape.y) << out_shape.x) + at.x - (band << out_shape.x);
  return ivec2(texel, (band << out_shape.z) + line);
}

// Which columns of a texel are below `columns`; the others are padding.
bvec4 is_column(int texel, int columns) {
  return lessThan(ivec4(0, 1, 2, 3) + 4 * texel, ivec4(columns));
}

// Adds the lanes of a vector: pairs first.
float sum_of(vec4 v) {
  return (v.x + v.y) + (v.z + v.w);
}
