// Detects what the device can do, in the shape of the client's `Capabilities`. An API that is missing,
// throws or never answers leaves its own fields empty and nothing else. All of it takes less time than
// the client waits.

import { LIMITS, probe } from "../probe.js";
import { within } from "../time.js";

/** @import { Battery, Capabilities, Connection, FormHints } from "../../types/protocol.d.ts" */

// Well below the five seconds that the client waits, on a device that is busy starting up.
const SHORT = { adapterMs: 3000, storageMs: 2000, workerMs: 2500 };
const BATTERY_MS = 500;
const MODEL_MS = 500;

/**
 * The result of `ask`, or null if it is undefined or throws.
 *
 * @template T
 * @param {() => T} ask
 */
function tryTo(ask) {
  try {
    return ask() ?? null;
  } catch {
    return null;
  }
}

/** @param {unknown} value */
const number = (value) => (typeof value === "number" && Number.isFinite(value) ? value : null);
/** @param {unknown} value */
const count = (value) =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : null;
/** @param {unknown} value */
const flag = (value) => (typeof value === "boolean" ? value : null);
/** @param {unknown} value */
const text = (value) => (typeof value === "string" ? value : null);

/**
 * @param {boolean} acceptsSoftware
 * @returns {Promise<Capabilities>}
 */
export async function detect(acceptsSoftware) {
  const [report, battery, model] = await Promise.all([
    probe({ ...LIMITS, ...SHORT }),
    readBattery(),
    hasBuiltInModel(),
  ]);
  if (report.storage) report.storage.opfs &&= canWriteFiles();
  return {
    ...report,
    built_in_model: model,
    battery,
    connection: readConnection(),
    hints: readHints(),
    accepts_software: acceptsSoftware,
  };
}

// Some browsers allow only workers to write files.
function canWriteFiles() {
  return tryTo(() => "createWritable" in FileSystemFileHandle.prototype) === true;
}

/** @returns {Promise<Battery | null>} */
async function readBattery() {
  try {
    if (!navigator.getBattery) return null;
    const battery = await within(BATTERY_MS, "getBattery()", navigator.getBattery());
    const [level, charging] = [number(battery.level), flag(battery.charging)];
    return level === null || charging === null ? null : { level, charging };
  } catch {
    return null;
  }
}

// The Prompt API, by the names that it has had.
async function hasBuiltInModel() {
  const api = tryTo(() => globalThis.LanguageModel ?? globalThis.ai?.languageModel);
  if (!api) return false;
  try {
    const answer = await within(MODEL_MS, "availability()", api.availability());
    return answer === "available" || answer === "readily";
  } catch {
    return null;
  }
}

/** @returns {Connection} */
function readConnection() {
  const connection = tryTo(() => navigator.connection);
  const type = tryTo(() => connection?.type);
  return {
    effective_type: text(tryTo(() => connection?.effectiveType)),
    metered: typeof type === "string" ? type === "cellular" : null,
    save_data: flag(tryTo(() => connection?.saveData)),
  };
}

/** @returns {FormHints} */
function readHints() {
  const side = tryTo(() => Math.min(screen.width, screen.height));
  return {
    mobile: flag(tryTo(() => navigator.userAgentData?.mobile)),
    max_touch_points: count(tryTo(() => navigator.maxTouchPoints)),
    coarse_pointer: flag(tryTo(() => matchMedia("(pointer: coarse)").matches)),
    screen_short_side: side !== null && side > 0 ? count(Math.round(side)) : null,
  };
}
