// A bench serves the engine's own outbox beside a peer's page.
export { Outbox } from "../../../../inference-wasm/page/outbox.js";
