// What browsers have and the standard library of TypeScript does not: interfaces of one browser
// alone, and drafts. Each may be absent.

import type { HostApi } from "./page.d.ts";

export interface BatteryManager extends EventTarget {
  level: number;
  charging: boolean;
}

export interface NetworkInformation extends EventTarget {
  type?: string;
  effectiveType?: string;
  saveData?: boolean;
}

interface PromptApi {
  availability(): Promise<string>;
}

declare global {
  interface Navigator {
    readonly deviceMemory?: number;
    readonly connection?: NetworkInformation;
    readonly userAgentData?: { mobile?: boolean };
    getBattery?(): Promise<BatteryManager>;
  }

  interface Performance {
    readonly memory?: { usedJSHeapSize: number };
  }

  interface GPUAdapter {
    /** Before it moved to `GPUAdapterInfo`. */
    readonly isFallbackAdapter?: boolean;
  }

  const GPUBufferUsage: { readonly MAP_READ: number };
  const GPUMapMode: { readonly READ: number };

  // `var` is what makes a property of `globalThis`.
  var tierproof: Readonly<HostApi>;
  var LanguageModel: PromptApi | undefined;
  var ai: { languageModel?: PromptApi } | undefined;
}
