// The part of wllama that a bench uses.

export interface Chunk {
  choices?: { text?: string }[];
  timings?: {
    prompt_n: number;
    prompt_ms: number;
    predicted_n: number;
    predicted_ms: number;
    cache_n: number;
  };
  usage?: { prompt_tokens: number; completion_tokens: number };
}

type Log = (...values: unknown[]) => void;

export class Wllama {
  constructor(
    paths: { default: string },
    options: {
      logger: { debug: Log; log: Log; warn: Log; error: Log };
      cacheManager: object;
      modelManager: object;
    },
  );
  setCompat(paths: { worker: string; wasm: string }): void;
  getWorkerResources?(): { compat: boolean };
  loadModel(
    files: (Blob | null)[],
    options: { n_ctx: number; n_threads: number; n_gpu_layers: number },
  ): Promise<void>;
  createCompletion(options: {
    prompt: string;
    max_tokens: number;
    ignore_eos: boolean;
    temperature: number;
    top_k: number;
    cache_prompt: boolean;
    stream: true;
    onData(chunk: Chunk): void;
  }): Promise<void>;
  getNumThreads(): number;
  static getLibllamaVersion(): string;
}
