// Speaks the protocol of a page without an engine behind it.
let seq = 0;
let chain = Promise.resolve();

function send(command, kind) {
  const event = { seq: seq++, at_ms: performance.now(), command, kind };
  chain = chain.then(() =>
    fetch("events", { method: "POST", body: JSON.stringify([event]) }));
  return chain;
}

async function generate(id) {
  await send(id, { type: "phase", phase: "decode" });
  const logits = new Float32Array([0.5, -1.25, 3.0e38]);
  await fetch(`logits/${id}`, { method: "POST", body: logits });
  await send(id, { type: "token", index: 0, id: 284, text: "Grüße" });
}

async function load(id, model) {
  let bytes = 0;
  for (const shard of model.shards) {
    const response = await fetch(shard.url);
    if (!response.ok) {
      const error = { kind: "shard-unavailable", message: `HTTP status ${response.status}` };
      return send(id, { type: "failed", error });
    }
    bytes += (await response.arrayBuffer()).byteLength;
    await send(id, { type: "load-progress", bytes, total_bytes: model.bytes });
  }
}

async function probe(id) {
  const threads = typeof SharedArrayBuffer !== "undefined" && crossOriginIsolated;
  const canvas = document.createElement("canvas").getContext("webgl2") !== null;
  const result = {
    of: "probe",
    user_agent: navigator.userAgent,
    cross_origin_isolated: crossOriginIsolated,
    wasm: { present: typeof WebAssembly !== "undefined", threads },
    webgpu: { present: "gpu" in navigator },
    webgl2: { present: canvas },
  };
  await send(id, { type: "finished", result });
}

window.tierproof = {
  submit(json) {
    const { id, action } = JSON.parse(json);
    switch (action.do) {
      case "probe": probe(id); return;
      case "generate": generate(id); return;
      case "load": load(id, action.model); return;
      default: return `this page can't ${action.do}`;
    }
  },
  cancel() {
    send(null, { type: "heartbeat" });
  },
};

send(null, {
  type: "ready",
  protocol: 3,
  user_agent: navigator.userAgent,
  cross_origin_isolated: crossOriginIsolated,
});
