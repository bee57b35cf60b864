// What a bench serves as `adapter.js` beside a peer's page.

import type { BackendName } from "../../../../inference-wasm/types/protocol.d.ts";

/** A peer's answer to one request. Fields that the peer doesn't report are absent. */
export interface PeerAnswer {
  promptTokens: number;
  newTokens: number;
  /** Tokens of the prompt that were in the cache. */
  reusedTokens?: number;
  ids?: number[];
  text?: string;
  prefillMs?: number;
  decodeMs?: number;
  decodeDispatches?: number;
  dispatches?: number;
  backend?: BackendName;
  /** The peer's version and build. */
  build: string;
  threads: number;
  memoryBytes?: number;
  gpu?: Gpu | null;
}

export interface Gpu {
  name: string;
  isFallback: boolean;
}

export interface LoadOptions {
  contextTokens?: number | null;
  backend: BackendName;
  threads: number;
}

export type OnToken = (id: number, text: string) => void;

/** What makes a library a peer. */
export interface Adapter {
  /** `load` gets the model's file, rather than its name alone. */
  wantsFile: boolean;
  start?(): Promise<void>;
  load(name: string, file: Blob | null, options: LoadOptions): Promise<void>;
  /** The prompt is a list of ids or a text, whichever the peer takes. */
  generate(
    prompt: number[] | string,
    maxTokens: number,
    ignoreStop: boolean,
    onToken: OnToken,
  ): Promise<PeerAnswer>;
}

export const adapter: Adapter;
