// Generated from `src/protocol` and `src/client`; `tests/javascript_types.rs` writes it and fails
// when it is out of date.

export type Action = {
  do: "probe";
} | LoadRequest & {
  do: "load";
} | GenerateRequest & {
  do: "generate";
} | ScoreRequest & {
  do: "score";
} | OpsRequest & {
  do: "ops";
} | {
  do: "release";
} | ClientAction & {
  do: "client";
};

export type Answer = {
  request: number;
  text: string;
  tokens: number[];
  finish_reason: FinishReason;
  usage: Usage;
  timings: AnswerTimings;
  tier: Tier;
  variant?: string | null;
  versions?: Versions | null;
  generation: number;
  recoveries: number;
  trail: FallbackStep[];
};

export type AnswerTimings = {
  first_token_ms?: number | null;
  total_ms: number;
};

export type Arm = {
  name: string;
  weight: number;
  variant?: string | null;
};

export type BackendName = "webgpu" | "webgl" | "wasm" | "cpu" | "reference";

export type Battery = {
  level: number;
  charging: boolean;
};

export type Begin = {
  begin: "fresh";
} | {
  begin: "replay";
} | {
  begin: "continue";
  variant?: string | null;
  ids: number[];
  text: string;
};

export type Breaker = {
  state: "closed";
  failures_ms: number[];
} | {
  state: "open";
  until_ms: number;
  times: number;
} | {
  state: "half-open";
  times: number;
};

export type BreakerLimits = {
  failures?: number;
  window_ms?: number;
  cooldown_ms?: number;
  longest_cooldown_ms?: number;
};

export type Breakers = { [key: string]: Breaker };

export type BundleName = "scalar" | "base" | "relaxed" | "threads";

export type CacheType = "f32" | "f16";

export type Canary = {
  bits: number;
};

export type Capabilities = {
  user_agent?: string;
  secure_context?: boolean;
  cross_origin_isolated?: boolean;
  hardware_concurrency?: number | null;
  device_memory_gib?: number | null;
  wasm?: WasmReport;
  webgpu?: WebGpuReport;
  webgl2?: WebGl2Report;
  storage?: StorageReport;
  built_in_model?: boolean | null;
  battery?: Battery | null;
  connection?: Connection;
  hints?: FormHints;
  accepts_software?: boolean;
};

export type CapabilityReport = {
  user_agent?: string;
  secure_context?: boolean;
  cross_origin_isolated?: boolean;
  hardware_concurrency?: number | null;
  device_memory_gib?: number | null;
  wasm?: WasmReport;
  webgpu?: WebGpuReport;
  webgl2?: WebGl2Report;
  storage?: StorageReport;
};

export type ClientAction = ClientStart & {
  act: "start";
} | {
  act: "input";
  input: Input;
} | {
  act: "trigger";
  shim: string;
  params: unknown;
} | {
  act: "inspect";
};

export type ClientError = {
  request: number;
  kind: ClientErrorKind;
  reason?: Reason | null;
  tier?: Tier | null;
  tokens_emitted: number;
  trail: FallbackStep[];
};

export type ClientErrorKind = "busy" | "invalid-request" | "context-overflow" | "replay-diverged" | "token-missing" | "no-tier-left" | "deadline-exceeded";

export type ClientFault = "zeros-on-loss" | "swallowed-error" | "duplicate-token" | "lost-token" | "stale-generation-accepted" | "cache-not-verified" | "wrong-reason" | "silent-tier-change" | "prompt-in-telemetry" | "breaker-never-opens" | "template-skew-ignored" | "fallback-skips-tier";

export type ClientInspection = {
  workers_started: number;
  workers_alive: number;
  object_urls: number;
  memory_shard_bytes: number;
  js_heap_bytes?: number | null;
  stored_shards: number;
  place?: Place | null;
};

export type ClientRun = {
  generation: number;
  request: number;
  logits_command: number;
  generated: Generated;
};

export type ClientStart = {
  config: Config;
  server?: string | null;
  server_model?: string | null;
  store: string;
  bundle?: BundleName | null;
  threads?: number | null;
  context_tokens?: number | null;
  accepts_software?: boolean;
  shims?: Shim[];
  fault?: ClientFault | null;
};

export type ClientStarted = {
  time_origin_ms: number;
};

export type Command = {
  id: number;
  action: Action;
};

export type Complexity = "auto" | "simple" | "medium" | "complex";

export type Config = {
  start?: Start;
  preference?: Preference;
  router?: RouterConfig;
  registry?: ModelVariant[];
  deadlines?: Deadlines;
  recovery?: RecoveryLimits;
  breaker?: BreakerLimits;
  breakers?: Breakers;
  consent_above_bytes?: number;
  server_attempts?: number;
  shard_attempts?: number;
  experiment?: Enrolment | null;
};

export type Connection = {
  effective_type?: string | null;
  metered?: boolean | null;
  save_data?: boolean | null;
};

export type Deadlines = {
  detect_ms?: number;
  device_ms?: number;
  probe_ms?: number;
  inspect_ms?: number;
  shard_ms?: number;
  consent_ms?: number;
  load_ms?: number;
  first_token_ms?: number;
  token_ms?: number;
  stop_ms?: number;
  server_ms?: number;
  request_ms?: number;
};

export type DeviceFailure = "adapter-null" | "device-rejected" | "born-lost";

export type DeviceTier = "no-gpu" | "low" | "mid" | "flagship";

export type Effect = {
  effect: "detect";
} | {
  effect: "create-device";
  tier: Tier;
  generation: number;
} | {
  effect: "probe";
  tier: Tier;
  generation: number;
} | {
  effect: "inspect-storage";
  generation: number;
  variant: string;
} | {
  effect: "discard";
  variant: string;
} | {
  effect: "persist-storage";
} | {
  effect: "verify-shard";
  generation: number;
  variant: string;
  shard: number;
} | {
  effect: "fetch-shard";
  generation: number;
  variant: string;
  shard: number;
  from: number;
  place: Place;
} | {
  effect: "ask-consent";
  bytes: number;
} | {
  effect: "progress";
  bytes: number;
  total_bytes: number;
} | {
  effect: "load";
  tier: Tier;
  generation: number;
  variant: ModelVariant;
} | {
  effect: "run";
  generation: number;
  request: number;
  generate: GenerateRequest;
  begin: Begin;
} | {
  effect: "stop-run";
  generation: number;
  request: number;
} | {
  effect: "abandon";
  generation: number;
} | {
  effect: "ask-server";
  generation: number;
  request: number;
  generate: GenerateRequest;
  begin: Begin;
} | {
  effect: "stop-server";
  generation: number;
} | {
  effect: "emit-token";
  request: number;
  token: Token;
} | {
  effect: "answer";
  answer: Answer;
} | {
  effect: "fail";
  error: ClientError;
} | {
  effect: "transition";
  transition: Transition;
} | {
  effect: "telemetry";
  record: TelemetryRecord;
} | {
  effect: "set-deadline";
  at_ms?: number | null;
};

export type End = {
  finish_reason: FinishReason;
  prompt_tokens: number;
  tokens: number;
};

export type EngineError = {
  kind: EngineErrorKind;
  message: string;
  hint?: string | null;
};

export type EngineErrorKind = "shard-unavailable" | "shard-truncated" | "shard-corrupt" | "invalid-model" | "unsupported-model" | "chat-template" | "context-overflow" | "backend-unavailable" | "out-of-memory" | "device-lost" | "gpu-error" | "invalid-request";

export type Enrolment = {
  experiment: Experiment;
  visitor: string;
};

export type ExecutionReport = {
  requested: BackendName;
  actual: BackendName;
  target: string;
  bundle: string;
  bundle_reason?: string;
  simd: SimdLevel;
  on_main_thread?: boolean;
  effective_threads: number;
  memory_bytes?: number | null;
  kernel_calls: number;
  gpu_dispatches: number;
  adapter?: string | null;
  adapter_is_software?: boolean | null;
  limits_sha256?: string | null;
  canary: Canary;
};

export type Experiment = {
  name: string;
  arms: Arm[];
};

export type FallbackStep = {
  from: Tier;
  to: Tier;
  reason: Reason;
};

export type FinishReason = "stop" | "stop-string" | "length" | "cancelled";

export type Finished = CapabilityReport & {
  of: "probe";
} | Loaded & {
  of: "load";
} | Generated & {
  of: "generate";
} | Scored & {
  of: "score";
} | OpsReport & {
  of: "ops";
} | {
  of: "release";
} | ClientStarted & {
  of: "client-started";
} | ClientInspection & {
  of: "client-inspected";
} | {
  of: "client-told";
};

export type Form = "phone" | "tablet" | "desktop";

export type FormHints = {
  mobile?: boolean | null;
  max_touch_points?: number | null;
  coarse_pointer?: boolean | null;
  screen_short_side?: number | null;
};

export type GenerateRequest = {
  prompt: Prompt;
  max_tokens: number;
  sampling?: Sampling;
  ignore_stop?: boolean;
  stop?: string[];
  logits?: LogitsWanted;
};

export type Generated = {
  prompt_ids: number[];
  reused_tokens: number;
  generated_ids: number[];
  text: string;
  finish_reason: FinishReason;
  timings: Timings;
  execution: ExecutionReport;
  logits?: LogitsRef | null;
};

export type GpuTime = {
  encode_ms: number;
  compute_ms: number;
  readback_ms: number;
};

export type Input = {
  input: "start";
} | {
  input: "idle";
} | {
  input: "detected";
  capabilities: Capabilities;
} | {
  input: "local";
  generation: number;
  event: LocalEvent;
} | {
  input: "server";
  generation: number;
  event: ServerEvent;
} | {
  input: "consent";
  given: boolean;
} | {
  input: "request";
  request: Request;
} | {
  input: "cancel";
  request: number;
} | {
  input: "preference";
  preference: Preference;
} | {
  input: "battery";
  battery: Battery;
} | {
  input: "thermal";
  pressure: Pressure;
} | {
  input: "retry";
} | {
  input: "tick";
};

export type LoadRequest = {
  backend: BackendName;
  model: ModelManifest;
  context_tokens?: number | null;
  cache_type?: CacheType;
  threads?: number | null;
  fault?: SeededFault | null;
};

export type Loaded = {
  architecture: string;
  parameters: number;
  vocabulary: number;
  context_tokens: number;
  weight_bytes: number;
  cache_bytes: number;
  file_bytes?: number;
  memory_bytes?: number | null;
  has_chat_template: boolean;
  fetch_ms: number;
  prepare_ms: number;
  warm_up_ms?: number;
};

export type LocalEvent = {
  event: "device-created";
} | {
  event: "device-failed";
  failure: DeviceFailure;
} | {
  event: "probed";
  is_right: boolean;
} | {
  event: "inspected";
  stored: Stored;
} | {
  event: "shard-verified";
  shard: number;
  is_intact: boolean;
} | {
  event: "shard-progress";
  shard: number;
  bytes: number;
} | {
  event: "shard-stored";
  shard: number;
} | {
  event: "shard-failed";
  shard: number;
  kind: EngineErrorKind;
  kept_bytes: number;
} | {
  event: "store-failed";
  shard: number;
  trouble: StorageTrouble;
} | {
  event: "loaded";
  versions: Versions;
} | {
  event: "load-failed";
  kind: EngineErrorKind;
} | {
  event: "token";
  request: number;
  token: Token;
} | {
  event: "finished";
  request: number;
  end: End;
} | {
  event: "failed";
  request: number;
  kind: EngineErrorKind;
} | {
  event: "device-lost";
  reason: LossReason;
} | {
  event: "crashed";
};

export type LogitsRef = {
  rows: number;
  columns: number;
};

export type LogitsWanted = "none" | "all";

export type LossReason = "unknown" | "destroyed";

export type Message = {
  role: Role;
  content: string;
};

export type ModelManifest = {
  name: string;
  bytes: number;
  sha256: string;
  shards: Shard[];
};

export type ModelVariant = {
  id: string;
  name: string;
  parameters: number;
  quantization: string;
  context_window: number;
  capabilities: string[];
  min_ram_gib: number;
  min_device_tier: DeviceTier;
  backends: BackendName[];
  webgpu_features?: string[];
  versions: Versions;
  file: ModelManifest;
};

export type OpFailure = {
  case: string;
  message: string;
};

export type OpTally = {
  op: string;
  weights: string;
  passed: number;
  failed: number;
  left_out: number;
  unguarded: number;
};

export type OpWorst = {
  op: string;
  case: string;
  error: number;
  allowed: number;
  ratio: number;
  nmse: number;
};

export type OpsReport = {
  table_cases: number;
  tallies: OpTally[];
  worst: OpWorst[];
  failures: OpFailure[];
  elapsed_ms: number;
  execution: ExecutionReport;
};

export type OpsRequest = {
  backend: BackendName;
  filter?: string | null;
  fault?: SeededFault | null;
};

export type PageEvent = {
  seq: number;
  at_ms: number;
  command?: number | null;
  kind: PageEventKind;
};

export type PageEventKind = {
  type: "ready";
  protocol: number;
  user_agent: string;
  cross_origin_isolated: boolean;
} | {
  type: "heartbeat";
} | {
  type: "phase";
  phase: Phase;
} | {
  type: "load-progress";
  bytes: number;
  total_bytes: number;
} | {
  type: "ops-progress";
  cases: number;
  total_cases: number;
} | {
  type: "token";
  index: number;
  id: number;
  text: string;
} | {
  type: "finished";
  result: Finished;
} | {
  type: "failed";
  error: EngineError;
} | {
  type: "device-lost";
  reason: LossReason;
  message: string;
} | {
  type: "client";
  effect: Effect;
} | {
  type: "client-ran";
  run: ClientRun;
} | {
  type: "injected";
  shim: string;
  detail: string;
} | {
  type: "panicked";
  message: string;
} | {
  type: "page-error";
  message: string;
  source: string;
} | {
  type: "unhandled-rejection";
  reason: string;
};

export type Phase = "probe" | "fetch" | "prepare" | "prefill" | "decode" | "score" | "ops" | "release";

export type Place = "opfs" | "cache-storage" | "indexed-db" | "memory";

export type Preference = "auto" | "always" | "never";

export type Pressure = "nominal" | "fair" | "serious" | "critical";

export type Prompt = {
  text: string;
} | {
  messages: Message[];
} | {
  raw: string;
} | {
  ids: number[];
};

export type Reason = "started" | "idle" | "detected" | "classified" | "chosen" | "fresh-device" | "device-ready" | "probed" | "metered" | "consent-given" | "cached" | "loaded" | "requested" | "replayed" | "answered" | "cancelled" | "request-failed" | "stopped" | "absent" | "adapter-null" | "software-adapter" | "device-rejected" | "born-lost" | "probe-failed" | "device-lost" | "device-lost-again" | "hung" | "out-of-memory" | "gpu-error" | "runtime-crash" | "load-timeout" | "load-failed" | "weights-unavailable" | "version-skew" | "no-compatible-variant" | "breaker-open" | "quota-exceeded" | "storage-refused" | "storage-timeout" | "shard-corrupt" | "evicted" | "user-preference" | "browser-inference-disabled" | "insufficient-device-capabilities" | "request-too-complex" | "no-compatible-browser-model" | "context-overflow" | "low-battery" | "thermal" | "not-ready" | "consent-declined" | "consent-timeout" | "detect-timeout" | "server-failed" | "server-timeout" | "preference-changed" | "cooled-down" | "breaker-half-open" | "retried";

export type RecoveryLimits = {
  losses?: number;
  window_ms?: number;
  pause_ms?: number;
};

export type Request = {
  id: number;
  generate: GenerateRequest;
  prompt_length: number;
  complexity?: Complexity;
  capability?: string | null;
  feature?: string | null;
};

export type Role = "system" | "user" | "assistant";

export type RouterConfig = {
  enable_browser_inference?: boolean;
  max_browser_model_size_bytes?: number;
  prefer_browser_for?: string[];
  complex_prompt_length?: number;
  complex_max_tokens?: number;
  min_ram_gib?: number;
};

export type Sampling = {
  kind: "greedy";
} | {
  kind: "seeded";
  seed: number;
  temperature: number;
  top_k: number;
  top_p: number;
  min_p: number;
};

export type ScoreRequest = {
  ids: number[];
  from: number;
};

export type Scored = {
  logits: LogitsRef;
  timings: Timings;
  execution: ExecutionReport;
};

export type SeededFault = "wrong-nibble-order" | "zeroed-layer" | "right-text-wrong-logits" | "hang-in-decode" | "panic-in-decode" | "lying-backend" | "off-by-one-tail" | "missing-barrier" | "f16-overflow";

export type ServerEvent = {
  event: "token";
  token: Token;
} | {
  event: "answered";
  tokens: Token[];
  end: End;
  variant?: string | null;
} | {
  event: "failed";
  is_request: boolean;
};

export type Shard = {
  url: string;
  bytes: number;
  sha256: string;
};

export type Shim = {
  name: string;
  url: string;
  params: unknown;
};

export type SimdLevel = "scalar" | "simd128" | "relaxed-simd" | "native";

export type Start = "progressive" | "idle-preload" | "local-only";

export type State = "new" | "detect" | "classify" | "choose" | "device" | "probe" | "cache" | "consent" | "load" | "ready" | "running" | "stop" | "recover" | "server";

export type StorageReport = {
  opfs?: boolean;
  cache?: boolean;
  indexed_db?: boolean;
  quota_bytes?: number | null;
  persisted?: boolean | null;
};

export type StorageTrouble = {
  name?: string | null;
  message?: string;
  written_bytes?: number | null;
  wanted_bytes?: number;
};

export type Stored = {
  versions?: Versions | null;
  shards?: { [key: string]: StoredShard };
};

export type StoredShard = {
  bytes: number;
  sha256: string;
  is_verified: boolean;
};

export type TelemetryRecord = {
  version: number;
  model_id?: string | null;
  prompt_tokens: number;
  completion_tokens: number;
  latency_ms: number;
  first_token_ms?: number | null;
  success: boolean;
  finish_reason?: FinishReason | null;
  error?: ClientErrorKind | null;
  tier?: Tier | null;
  trail: FallbackStep[];
  recoveries: number;
  recovery_reason?: Reason | null;
  recovery_ms?: number | null;
  stale_events: number;
  cache_hit_rate?: number | null;
  fetched_bytes: number;
  device_tier?: DeviceTier | null;
  form?: Form | null;
  cohort?: string | null;
};

export type Tier = "webgpu" | "webgl" | "wasm" | "server";

export type Timings = {
  prefill_ms: number;
  prefill_tokens: number;
  first_token_ms: number;
  decode_ms: number;
  decode_tokens: number;
  decode_gpu?: GpuTime | null;
  decode_dispatches?: number;
};

export type Token = {
  index: number;
  id: number;
  text: string;
};

export type Transition = {
  at_ms: number;
  from: State;
  to: State;
  tier: Tier;
  generation: number;
  reason: Reason;
};

export type Usage = {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
};

export type Versions = {
  weights: string;
  tokenizer: string;
  prompt_template: string;
};

export type WasmReport = {
  present?: boolean;
  simd128?: boolean;
  relaxed_simd?: boolean;
  threads?: boolean;
  exceptions?: boolean;
  memory64?: boolean;
};

export type WebGl2Report = {
  present?: boolean;
  reason?: string | null;
  renderer?: string;
  vendor?: string;
  extensions?: string[];
  highp_bits?: number | null;
  max_texture_size?: number | null;
  float_readback?: boolean;
  in_worker?: boolean;
};

export type WebGpuAdapter = {
  vendor?: string;
  architecture?: string;
  device?: string;
  description?: string;
  is_fallback?: boolean | null;
  features?: string[];
  limits?: { [key: string]: number };
};

export type WebGpuReport = {
  present?: boolean;
  adapter?: WebGpuAdapter | null;
  reason?: string | null;
};
