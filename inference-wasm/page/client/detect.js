// What the device can do, in the shape of the client's `Capabilities`. An API that is missing, throws
// or never answers costs what it would have told and nothing else, and all of it together takes less
// than the client waits.

import { LIMITS, probe } from "../probe.js";
import { within } from "../time.js";

// Well below the five seconds that the client waits, on a device that is busy starting up.
const SHORT = { adapterMs: 3000, storageMs: 2000, workerMs: 2500 };
const BATTERY_MS = 500;
const MODEL_MS = 500;

// What `ask` gives, or comes to; null if that is nothing or an error.
function tryTo(ask) {
  try {
    return ask() ?? null;
  } catch {
    return null;
  }
}

const number = (value) => (Number.isFinite(value) ? value : null);
const count = (value) => (Number.isInteger(value) && value >= 0 ? value : null);
const flag = (value) => (typeof value === "boolean" ? value : null);
const text = (value) => (typeof value === "string" ? value : null);

export async function detect(acceptsSoftware) {
  const [report, battery, model] = await Promise.all([
    probe({ ...LIMITS, ...SHORT }),
    readBattery(),
    hasBuiltInModel(),
  ]);
  report.storage.opfs &&= canWriteFiles();
  return {
    ...report,
    built_in_model: model,
    battery,
    connection: readConnection(),
    hints: readHints(),
    accepts_software: acceptsSoftware,
  };
}

// Some browsers let only workers write files.
function canWriteFiles() {
  return tryTo(() => "createWritable" in FileSystemFileHandle.prototype) === true;
}

async function readBattery() {
  try {
    const battery = await within(BATTERY_MS, "getBattery()", navigator.getBattery());
    const [level, charging] = [number(battery.level), flag(battery.charging)];
    return level === null || charging === null ? null : { level, charging };
  } catch {
    return null;
  }
}

// The Prompt API, under its names so far.
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

function readConnection() {
  const connection = tryTo(() => navigator.connection);
  const type = tryTo(() => connection?.type);
  return {
    effective_type: text(tryTo(() => connection?.effectiveType)),
    metered: typeof type === "string" ? type === "cellular" : null,
    save_data: flag(tryTo(() => connection?.saveData)),
  };
}

function readHints() {
  const side = tryTo(() => Math.min(screen.width, screen.height));
  return {
    mobile: flag(tryTo(() => navigator.userAgentData?.mobile)),
    max_touch_points: count(tryTo(() => navigator.maxTouchPoints)),
    coarse_pointer: flag(tryTo(() => matchMedia("(pointer: coarse)").matches)),
    screen_short_side: side > 0 ? count(Math.round(side)) : null,
  };
}
