// Faults of the thread that the engine runs on.
//
// params: { fault, at, token, times }, where the fault strikes as the engine gets there: at
// `probe`, `load`, `prefill`, or `decode` behind `token` tokens; at `idle`, when the page is told
// to. Shims live as long as a page or a worker: `times` counts per worker.

export function install(params, scope, report) {
  const { fault, at, token = 0, times = 1 } = params;
  const isEngine = scope === "worker";
  let struck = 0;
  let tokens = 0;

  function strike() {
    if (!isEngine || struck >= times) return;
    struck += 1;
    report(`${fault}, strike ${struck}`);
    if (fault === "worker-hangs") for (;;);
    // From outside of whatever runs, so that nothing of the engine's catches it.
    setTimeout(() => {
      throw new Error("an error that nobody catches");
    });
  }

  return {
    event(kind) {
      if (kind.type === "phase") tokens = 0;
      if (kind.type === "token") tokens += 1;
      const phase = { prepare: "load", ops: "probe" }[kind.phase] ?? kind.phase;
      if (kind.type === "phase" && phase === at && at !== "decode") strike();
      if (kind.type === "token" && at === "decode" && tokens > token) strike();
    },
    trigger: strike,
  };
}
