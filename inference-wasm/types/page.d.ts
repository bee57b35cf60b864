// The types of a page that are not in the protocol: the messages between its threads, the module's
// glue, and the seams between its scripts.

import type {
  BackendName,
  BundleName,
  ClientAction,
  ClientRun,
  DeviceFailure,
  Effect,
  GenerateRequest,
  Input,
  ModelVariant,
  PageEventKind,
  Prompt,
  ServerEvent,
  Shard,
  Shim,
  StorageReport,
  Tier,
} from "./protocol.d.ts";

/** A tier that computes on the user's device. */
export type LocalTier = Extract<Tier, BackendName>;

/** What becomes of the command that an event belongs to. */
export type Fate = "goes-on" | "ends" | "dies";

/** The glue that wasm-bindgen generates for a bundle. */
export interface Glue {
  /** Instantiates the module. */
  default(options: {
    module_or_path: WebAssembly.Module | Promise<Response>;
    memory?: WebAssembly.Memory;
  }): Promise<{ memory: WebAssembly.Memory }>;
  __wbg_reset_state(): void;
  start(base: string, reason: string, threads: number, emit: Emit): void;
  protocol_version(): number;
  submit(id: number, text: string): Promise<void>;
  cancel(): void;
  end(): void;
  /** Whether the device has been lost. */
  check_device(): boolean;
  start_pool(workers: number): void;
  run_pool_thread(emit: Emit): void;
  HybridClient: new (config: string, fault: string) => StateMachine;
}

export type Emit = (command: number | undefined, kind: string, fate: Fate) => void;

/** The hybrid client's state machine. */
export interface StateMachine {
  /** Takes an `Input` as JSON text and returns a list of `Effect`s as JSON text. */
  step(now_ms: number, input: string): string;
  breakers(): string;
}

/** `bundle.json`: the bundles beside the page. */
export interface BundleList {
  bundles: { name: BundleName }[];
}

/** The bundle that was chosen. */
export interface BundleChoice {
  name: BundleName;
  threads: number;
  reason: string;
}

/** What the workers of the engine's threads start from. */
export interface PoolShare {
  glue: string;
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
}

export interface EngineStart {
  type: "start";
  /** The address that the addresses in commands are relative to. */
  base: string;
  bundle: BundleName | "auto";
  threads: number;
  shims?: Shim[];
  /** The hybrid client's engines are started for one device. */
  device?: Tier | null;
  /** Appended to the address of the glue. */
  instance?: string;
}

/** Messages from the page's main thread to its engine. */
export type ToEngine =
  | EngineStart
  | { type: "threads-started"; trouble: string | null }
  | { type: "submit"; id: number; text: string }
  | { type: "cancel" }
  | { type: "trigger"; shim: string; params: unknown }
  | { type: "end" };

/** Messages from an engine to the page's main thread. */
export type FromEngine =
  | { type: "ready"; protocol: number }
  | { type: "without-engine"; reason: string }
  | { type: "start-threads"; count: number; share: PoolShare }
  /** `kind` is a `PageEventKind` as JSON text. */
  | { type: "event"; command: number | null; kind: string; fate: Fate }
  | { type: "error" | "lost"; message: string; source: string }
  | { type: "rejection"; reason: string }
  | { type: "device"; failure: DeviceFailure | null }
  | { type: "injected"; shim: string; detail: string };

/** An engine as the main thread sees it, in a worker or on the main thread itself. */
export interface EngineHandle {
  name: string;
  post(message: ToEngine): void;
  stop(): void;
}

/** Messages from the worker of one of the engine's threads. */
export type FromPoolWorker =
  | { type: "ready" }
  | { type: "panic"; kind: string }
  | { type: "error"; message: string };

/** Messages to and from the worker of the probe. */
export type ToProbeWorker = { memory: WebAssembly.Memory | null };
export type FromProbeWorker = { webgl2: boolean; hasWritten: boolean };

/** What a host calls over WebDriver. */
export interface HostApi {
  version?: number;
  /** Takes a `Command` as JSON text. Returns why it was not taken, or null. */
  submit(text: string): string | null | undefined;
  cancel(): null | undefined;
}

/** What an application learns from its hybrid client. */
export interface Listener {
  effect(effect: Effect): void;
  ran?(run: ClientRun): void;
  injected?(shim: string, detail: string): void;
}

/** What a client's page needs of a client. */
export interface AnyClient {
  input(input: Input): void;
  trigger(shim: string, params: unknown): void;
  pageFailed(error: unknown): void;
  inspect(): Promise<import("./protocol.d.ts").ClientInspection>;
}

export type ClientStart = Extract<ClientAction, { act: "start" }>;

/** What a device needs of its client. */
export interface DeviceHost {
  shims: ShimList | null;
  event(event: import("./protocol.d.ts").LocalEvent): void;
  ran(run: Omit<ClientRun, "generation">): void;
  injected(shim: string, detail: string): void;
  nextCommand(): number;
}

/** The shims of a thread. */
export interface ShimList {
  forWorker(): Shim[];
  event(text: string): void;
  trigger(name: string, params: unknown): Promise<void>;
  countInjection(name: string): void;
}

export type EffectOf<Name extends Effect["effect"]> = Extract<Effect, { effect: Name }>;
export type EventKind<Name extends PageEventKind["type"]> = Extract<PageEventKind, { type: Name }>;

/** A place where a browser keeps bytes. */
export interface Entries {
  /** Every entry's name and its size in bytes. */
  names(): Promise<Map<string, number>>;
  /** Null if there is no such entry. */
  read(name: string): Promise<Blob | null>;
  write(name: string, blob: Blob): Promise<void>;
  remove(name: string): Promise<void>;
}

/** Where a shard's bytes were found. */
export interface Lease {
  shards: Shard[];
  versions: ModelVariant["versions"];
  release(): void;
}

export type { GenerateRequest, Prompt, ServerEvent, StorageReport };

/** A script that a test puts between the browser and the page; see `Shim` in the protocol. */
export interface ShimModule {
  install(
    params: ShimParams,
    scope: "page" | "worker",
    report: (detail: string) => void,
  ): ShimHandle | undefined | Promise<ShimHandle | undefined>;
}

export interface ShimParams {
  fault?: string;
  /** The phase in which it acts. */
  at?: string;
  /** Tokens of a request before it acts. */
  token?: number;
  /** How often it acts at most. */
  times?: number;
  value?: number;
  store?: string;
  /** How often it has acted in workers that are gone. */
  injections?: number;
  armed?: boolean;
}

export interface ShimHandle {
  /** Called with every event of the engine, before the page gets it. */
  event?(kind: PageEventKind): void;
  trigger?(action: ShimTrigger): void | Promise<void>;
}

export interface ShimTrigger {
  arm?: boolean;
  strike?: boolean;
}
