// Which bundle of those that lie beside the page is loaded: the one that was asked for by name,
// or else the best that runs here. A name is never answered with another bundle.

import { hasFeature, hasWebAssembly } from "./features.js";

// `base` before `relaxed`: without an instruction for it, as on most x86 processors, a relaxed dot
// product takes three, and decoding took a fifth longer where it was measured. Threads are a wish of
// their own: they come first where more than one was asked for, and not at all where one was.
const PREFERENCE = ["base", "relaxed", "scalar"];
const MOST_THREADS = 64;

// An engine that can't run here, for a reason that is for people.
export class Refusal extends Error {}

function lacks(feature, words) {
  return hasFeature(feature) ? null : `its WebAssembly has no ${words}`;
}

// What keeps this browser from running a bundle; null if nothing does.
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

// `wanted` is a bundle's name or `auto`, `built` the names of those that are here. Gives the
// bundle's name, why it is that one, and how many threads it is to run; or throws a `Refusal`.
export function choose(wanted, threads, built) {
  if (!hasWebAssembly()) throw new Refusal("it has no WebAssembly");
  if (!Number.isInteger(threads) || threads < 1 || threads > MOST_THREADS) {
    throw new Refusal(`threads: expected 1 to ${MOST_THREADS}, found ${threads}`);
  }
  return wanted === "auto" ? best(threads, built) : named(wanted, threads, built);
}

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

function best(threads, built) {
  const passed = [];
  for (const name of threads > 1 ? ["threads", ...PREFERENCE] : PREFERENCE) {
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
