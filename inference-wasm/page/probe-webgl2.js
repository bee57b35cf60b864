// Probes WebGL2: the renderer, its extensions and limits, and whether floats are read back
// correctly. On the main thread, because WebKitGTK has no WebGL in workers.

/** @import { WebGl2Report } from "../types/protocol.d.ts" */

/** @typedef {Omit<WebGl2Report, "in_worker">} MainThreadReport */

/** @type {MainThreadReport} */
const NOTHING = {
  present: false,
  reason: null,
  renderer: "",
  vendor: "",
  extensions: [],
  highp_bits: null,
  max_texture_size: null,
  float_readback: false,
};

/** @returns {MainThreadReport} */
export function webgl2() {
  let reason = "getContext() gave null";
  const canvas = document.createElement("canvas");
  canvas.addEventListener("webglcontextcreationerror", (event) => {
    const { statusMessage } = /** @type {WebGLContextEvent} */ (event);
    if (statusMessage) reason = statusMessage;
  });
  let gl;
  try {
    gl = canvas.getContext("webgl2");
  } catch (error) {
    reason = String(error);
  }
  if (!gl) return { ...NOTHING, reason };
  try {
    return describe(gl);
  } catch (error) {
    return { ...NOTHING, reason: `the context failed: ${error}` };
  } finally {
    // Browsers allow few contexts at a time.
    gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

/**
 * @param {WebGL2RenderingContext} gl
 * @returns {MainThreadReport}
 */
function describe(gl) {
  // Firefox answers RENDERER with the unmasked name and warns about the extension.
  const names = gl.getExtension("WEBGL_debug_renderer_info");
  const precision = gl.getShaderPrecisionFormat(gl.FRAGMENT_SHADER, gl.HIGH_FLOAT);
  return {
    present: true,
    reason: null,
    renderer: String(gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER) ?? ""),
    vendor: String(gl.getParameter(names ? names.UNMASKED_VENDOR_WEBGL : gl.VENDOR) ?? ""),
    extensions: (gl.getSupportedExtensions() ?? []).sort(),
    highp_bits: precision?.precision ?? null,
    max_texture_size: gl.getParameter(gl.MAX_TEXTURE_SIZE),
    float_readback: readsFloatsBack(gl),
  };
}

const WIDTH = 4;

const VERTEX = `#version 300 es
// One triangle over the whole target.
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  gl_Position = vec4(corner * 4.0 - 1.0, 0.0, 1.0);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
out float value;
// Needs 21 bits of mantissa: an f16 target would show.
void main() {
  value = floor(gl_FragCoord.x) * 65536.0 + 0.125;
}`;

/**
 * Draws into an R32F texture and compares the result bit by bit.
 *
 * @param {WebGL2RenderingContext} gl
 */
function readsFloatsBack(gl) {
  if (!gl.getExtension("EXT_color_buffer_float")) return false;
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.texStorage2D(gl.TEXTURE_2D, 1, gl.R32F, WIDTH, 1);
  const target = gl.getParameter(gl.TEXTURE_BINDING_2D);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, target, 0);
  if (gl.checkFramebufferStatus(gl.FRAMEBUFFER) !== gl.FRAMEBUFFER_COMPLETE) return false;

  const program = gl.createProgram();
  for (const { kind, source } of [
    { kind: gl.VERTEX_SHADER, source: VERTEX },
    { kind: gl.FRAGMENT_SHADER, source: FRAGMENT },
  ]) {
    const shader = /** @type {WebGLShader} */ (gl.createShader(kind));
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return false;

  gl.viewport(0, 0, WIDTH, 1);
  gl.useProgram(program);
  gl.drawArrays(gl.TRIANGLES, 0, 3);
  const pixels = new Float32Array(WIDTH * 4);
  gl.readPixels(0, 0, WIDTH, 1, gl.RGBA, gl.FLOAT, pixels);
  if (gl.getError() !== gl.NO_ERROR) return false;
  return Array.from({ length: WIDTH }).every((_, x) => pixels[4 * x] === x * 65536 + 0.125);
}
