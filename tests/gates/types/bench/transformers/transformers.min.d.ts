// The part of Transformers.js that a bench uses.

export interface Library {
  env: {
    allowRemoteModels: boolean;
    allowLocalModels: boolean;
    localModelPath: string;
    useBrowserCache: boolean;
    backends: {
      onnx: {
        wasm: { wasmPaths: string; numThreads: number };
        versions?: { web?: string };
      };
    };
  };
  AutoModelForCausalLM: {
    from_pretrained(name: string, options: { device: string; dtype: string }): Promise<Model>;
  };
  Tensor: new (type: "int64", data: BigInt64Array, shape: number[]) => Tensor;
  BaseStreamer: new () => object;
}

export interface Tensor {
  tolist(): (number | bigint)[][];
}

export interface Model {
  generate(options: {
    input_ids: Tensor;
    attention_mask: Tensor;
    do_sample: boolean;
    max_new_tokens: number;
    eos_token_id?: number;
    streamer: object;
  }): Promise<Tensor>;
}

export const env: Library["env"];
export const AutoModelForCausalLM: Library["AutoModelForCausalLM"];
export const Tensor: Library["Tensor"];
export const BaseStreamer: Library["BaseStreamer"];
