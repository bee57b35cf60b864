// Chooses the bundle to load: the one asked for by name, or else the best that runs here. A request
// for one bundle is never answered with another.

import { hasFeature, hasWebAssembly } from "./features.js";

/** @import { BundleName } from "../types/protocol.d.ts" */
/** @import { BundleChoice } from "../types/page.d.ts" */
/** @import { Feature } from "./features.js" */

// `base` before `relaxed`: most x86 processors lack the instruction for a relaxed dot product and
// need three others, which made decoding a fifth slower where it was measured. `threads` is used
// only when more than one thread was asked for, and then it comes first.
/** @type {BundleName[]} */
const PREFERENCE = ["base", "relaxed", "scalar"];
const MOST_THREADS = 64;

/** The engine can't run here. The message is for people. */
export class Refusal extends Error {}

/**
 * @param {Feature} feature
 * @param {string} words
 */
function lacks(feature, words) {
  return hasFeature(feature) ? null : `its WebAssembly has no ${words}`;
}

/**
 * Why this browser can't run a bundle, or null if it can.
 *
 * @type {Record<BundleName, () => string | null>}
 */
const OBSTACLES = {
  scalar: () => null,
  base: () => lacks("simd128", "SIMD"),
  relaxed: () => lacks("relaxed_simd", "relaxed SIMD"),
  threads: () => {
    if (globalThis.crossOriginIsolated !== true) return "the page is not cross-origin isolated";
    if (typeof SharedArrayBuffer === "undefined") return "it has no SharedArrayBuffer";
    return lacks("threads", "shared memory") ?? lacks("simd128", "SIMD");
  },
};

/**
 * Chooses one of the bundles that were built. Throws a `Refusal` if none will do.
 *
 * @param {BundleName | "auto"} wanted
 * @param {number} threads
 * @param {BundleName[]} built
 * @returns {BundleChoice}
 */
export function choose(wanted, threads, built) {
  if (!hasWebAssembly()) throw new Refusal("it has no WebAssembly");
  if (!Number.isInteger(threads) || threads < 1 || threads > MOST_THREADS) {
    throw new Refusal(`threads: expected 1 to ${MOST_THREADS}, found ${threads}`);
  }
  return wanted === "auto" ? best(threads, built) : named(wanted, threads, built);
}

/**
 * @param {BundleName} name
 * @param {number} threads
 * @param {BundleName[]} built
 */
function named(name, threads, built) {
  if (!built.includes(name)) {
    throw new Refusal(`bundle \`${name}\` is not here, expected one of ${built.join(", ")}`);
  }
  const obstacle = OBSTACLES[name]();
  if (obstacle !== null) throw new Refusal(`bundle \`${name}\` can't run: ${obstacle}`);
  if (threads > 1 && name !== "threads") {
    throw new Refusal(`bundle \`${name}\` has one thread, ${threads} were asked for`);
  }
  return { name, threads, reason: "asked for by name" };
}

/**
 * @param {number} threads
 * @param {BundleName[]} built
 * @returns {BundleChoice}
 */
function best(threads, built) {
  const passed = [];
  /** @type {BundleName[]} */
  const candidates = threads > 1 ? ["threads", ...PREFERENCE] : PREFERENCE;
  for (const name of candidates) {
    const obstacle = built.includes(name) ? OBSTACLES[name]() : "it is not here";
    if (obstacle === null) {
      const why = passed.length > 0 ? `; ${passed.join("; ")}` : "";
      const reason = `the best that runs here${why}`;
      return { name, threads: name === "threads" ? threads : 1, reason };
    }
    passed.push(`not \`${name}\`: ${obstacle}`);
  }
  throw new Refusal(`no bundle can run: ${passed.join("; ")}`);
}
