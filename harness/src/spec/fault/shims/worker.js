// Faults of the thread that the engine runs on.
//
// params: { fault, at, token, times, injections, armed }. The fault is injected when the engine reaches
// `at`: `probe`, `load`, `prefill`, or `decode` after `token` tokens; `idle` waits for a trigger. It is
// injected at most `times` times, of which `injections` happened in earlier workers, and only while it
// is armed.

/** @import { Phase } from "../../../../../inference-wasm/types/protocol.d.ts" */
/** @import { FromEngine, ShimHandle, ShimParams } from "../../../../../inference-wasm/types/page.d.ts" */

/**
 * @param {ShimParams} params
 * @param {"page" | "worker"} scope
 * @param {(detail: string) => void} report
 * @returns {ShimHandle}
 */
export function install(params, scope, report) {
  const { fault, at, token = 0, times = 1 } = params;
  let { injections = 0, armed = true } = params;
  const isEngine = scope === "worker";
  let tokens = 0;

  function inject() {
    if (!isEngine || !armed || injections >= times) return;
    injections += 1;
    report(`${fault}, injection ${injections}`);
    if (fault === "worker-hangs") for (;;);
    fallSilent();
    // In a task of its own, so that no code of the engine catches it.
    setTimeout(() => {
      throw new Error("an uncaught error");
    });
  }

  // A dead engine sends nothing more. Its browser reports the error.
  function fallSilent() {
    const scope = /** @type {{ postMessage: (message: FromEngine, ...rest: unknown[]) => void }} */ (
      globalThis
    );
    const post = scope.postMessage;
    scope.postMessage = (message, ...rest) => {
      if (message?.type === "error") post.call(globalThis, message, ...rest);
    };
  }

  return {
    event(kind) {
      if (kind.type === "phase") tokens = 0;
      if (kind.type === "token") tokens += 1;
      if (kind.type === "phase" && stageOf(kind.phase) === at && at !== "decode") inject();
      if (kind.type === "token" && at === "decode" && tokens > token) inject();
    },
    trigger({ arm, strike }) {
      if (arm !== undefined) armed = arm;
      if (arm) injections = 0;
      if (!strike) return;
      armed = true;
      inject();
    },
  };
}

/**
 * The name that `at` has for a phase.
 *
 * @param {Phase} phase
 */
function stageOf(phase) {
  if (phase === "prepare") return "load";
  return phase === "ops" ? "probe" : phase;
}
