// The functions of gates and caps, in forms that neither overflow nor cancel.

// Beyond this, tanh is 1 in f32.
const float TANH_ONE = 10.0;
// Below this, the series is more accurate than one minus a fraction.
const float TANH_SERIES = 0.4;

// GLSL's own `tanh` may be computed as a quotient of sums of `exp`, which overflows for large
// arguments and cancels for small ones.
vec4 tangent(vec4 x) {
  vec4 a = min(abs(x), vec4(TANH_ONE));
  vec4 far = 1.0 - 2.0 / (exp(2.0 * a) + 1.0);
  vec4 s = a * a;
  vec4 near = a + a * s * (-1.0 / 3.0 + s * (2.0 / 15.0 + s * (-17.0 / 315.0
    + s * (62.0 / 2835.0 + s * (-1382.0 / 155925.0 + s * (21844.0 / 6081075.0))))));
  return sign(x) * mix(far, near, lessThan(a, vec4(TANH_SERIES)));
}

// Beyond this, `exp` overflows in f32.
const float EXP_MOST = 88.5;

// 1 / (1 + e^-x): 0 where `exp` would be infinite.
vec4 logistic(vec4 x) {
  vec4 some = 1.0 / (1.0 + exp(min(-x, vec4(EXP_MOST))));
  return mix(some, vec4(0.0), greaterThan(-x, vec4(EXP_MOST)));
}
