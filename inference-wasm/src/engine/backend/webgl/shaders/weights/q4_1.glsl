void unpack(int block, int part, out vec4 w[8]) {
  uvec4 q = body_at(block);
  uvec4 head = head_at(block);
  float d = half_of(head.x);
  float m = half_of(head.y);
  w[0] = d * fields_of(q.x, 0, 15u) + m;
  w[1] = d * fields_of(q.y, 0, 15u) + m;
  w[2] = d * fields_of(q.z, 0, 15u) + m;
  w[3] = d * fields_of(q.w, 0, 15u) + m;
  w[4] = d * fields_of(q.x, 4, 15u) + m;
  w[5] = d * fields_of(q.y, 4, 15u) + m;
  w[6] = d * fields_of(q.z, 4, 15u) + m;
  w[7] = d * fields_of(q.w, 4, 15u) + m;
}
