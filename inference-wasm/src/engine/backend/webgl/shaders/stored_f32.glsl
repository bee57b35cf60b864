vec4 stored(vec4 v) {
  return v;
}
