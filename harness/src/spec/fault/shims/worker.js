// Faults of the thread that the engine runs on.
//
// params: { fault, at, token, times, struck, armed }. The fault is injected as soon as the engine gets
// to `at`: `probe`, `load`, `prefill`, or `decode` after `token` tokens; with `idle`, on `trigger`.
// There are at most `times` injections, including the `struck` ones of earlier workers, and none
// while the fault is not armed.

export function install(params, scope, report) {
  const { fault, at, token = 0, times = 1 } = params;
  let { struck = 0, armed = true } = params;
  const isEngine = scope === "worker";
  let tokens = 0;

  function strikeNow() {
    if (!isEngine || !armed || struck >= times) return;
    struck += 1;
    report(`${fault}, strike ${struck}`);
    if (fault === "worker-hangs") for (;;);
    fallSilent();
    // Thrown outside the engine's calls, so that the engine can't catch it.
    setTimeout(() => {
      throw new Error("an error that nobody catches");
    });
  }

  // A dead engine sends nothing more. The browser reports the error.
  function fallSilent() {
    const post = globalThis.postMessage;
    globalThis.postMessage = (message, ...rest) => {
      if (message?.type === "error") post.call(globalThis, message, ...rest);
    };
  }

  return {
    event(kind) {
      if (kind.type === "phase") tokens = 0;
      if (kind.type === "token") tokens += 1;
      const phase = { prepare: "load", ops: "probe" }[kind.phase] ?? kind.phase;
      if (kind.type === "phase" && phase === at && at !== "decode") strikeNow();
      if (kind.type === "token" && at === "decode" && tokens > token) strikeNow();
    },
    trigger({ arm, strike }) {
      if (arm !== undefined) armed = arm;
      if (arm) struck = 0;
      if (!strike) return;
      armed = true;
      strikeNow();
    },
  };
}
