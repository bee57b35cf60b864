// Writes rows of keys and values into the cache, at positions `first` and up.
uniform sampler2D new_keys;
uniform sampler2D new_values;
// The shape of both.
uniform ivec3 x_shape;
uniform int first;
layout(location = 0) out vec4 key;
layout(location = 1) out vec4 value;

void main() {
  ivec2 at = here();
  if (at.x >= out_texels) {
    key = vec4(0.0);
    value = vec4(0.0);
    return;
  }
  ivec2 start = row_start(x_shape, at.y - first);
  key = stored(texel_of(new_keys, x_shape, start, at.x));
  value = stored(texel_of(new_values, x_shape, start, at.x));
}
