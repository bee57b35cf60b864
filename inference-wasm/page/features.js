// Detects WebAssembly proposals by validating the smallest module that uses each. The comment above
// the bytes of a module is its text form.

/** @typedef {"simd128" | "relaxed_simd" | "threads" | "exceptions" | "memory64"} Feature */

const HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const TYPE_VOID = [0x01, 0x04, 0x01, 0x60, 0x00, 0x00]; // (type (func))
const TYPE_V128 = [0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b]; // (type (func (result v128)))
const ONE_FUNCTION = [0x03, 0x02, 0x01, 0x00]; // (func (type 0) …)
const SPLAT_0 = [0x41, 0x00, 0xfd, 0x0f]; // (i8x16.splat (i32.const 0))

/** @param {number[]} instructions */
function code(...instructions) {
  const body = [0x00, ...instructions, 0x0b];
  return [0x0a, body.length + 2, 0x01, body.length, ...body];
}

/** @type {Record<Feature, number[]>} */
const MODULES = {
  // (module (func (result v128) (i8x16.splat (i32.const 0))))
  simd128: [...TYPE_V128, ...ONE_FUNCTION, ...code(...SPLAT_0)],
  // (module (func (result v128)
  //   (i8x16.relaxed_swizzle (i8x16.splat (i32.const 0)) (i8x16.splat (i32.const 0)))))
  relaxed_simd: [
    ...TYPE_V128, ...ONE_FUNCTION, ...code(...SPLAT_0, ...SPLAT_0, 0xfd, 0x80, 0x02),
  ],
  // (module (memory 1 1 shared) (func (drop (i32.atomic.load (i32.const 0)))))
  threads: [
    ...TYPE_VOID, ...ONE_FUNCTION, 0x05, 0x04, 0x01, 0x03, 0x01, 0x01,
    ...code(0x41, 0x00, 0xfe, 0x10, 0x02, 0x00, 0x1a),
  ],
  // (module (tag) (func (throw 0))): the same in both generations of the proposal.
  exceptions: [
    ...TYPE_VOID, ...ONE_FUNCTION, 0x0d, 0x03, 0x01, 0x00, 0x00, ...code(0x08, 0x00),
  ],
  // (module (memory i64 1))
  memory64: [0x05, 0x03, 0x01, 0x04, 0x01],
};

export function hasWebAssembly() {
  return typeof WebAssembly !== "undefined";
}

/** @param {Feature} name */
export function hasFeature(name) {
  return hasWebAssembly() && WebAssembly.validate(new Uint8Array([...HEADER, ...MODULES[name]]));
}
