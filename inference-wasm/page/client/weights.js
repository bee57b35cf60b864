// The shards of all variants: storing, fetching and hashing them, and lending them to an engine. The
// state machine decides what to do with a shard.
//
// In every place an entry's name is `variant@shard@sha256`, with the hash from its manifest, or
// `variant@versions` for the note of the versions that belong to it. The note is written first.

import { DownloadError, download, sha256 } from "./download.js";
import { places } from "./storage.js";
import { within } from "../time.js";

/** @import { LocalEvent, ModelVariant, Place as PlaceName } from "../../types/protocol.d.ts" */
/** @import { Shard, StorageReport, StorageTrouble, StoredShard } from "../../types/protocol.d.ts" */
/** @import { Versions } from "../../types/protocol.d.ts" */
/** @import { EffectOf, Lease } from "../../types/page.d.ts" */
/** @import { Place } from "./storage.js" */

/** @typedef {{ variant: string, shard: number, hash: string }} Entry */

const MEMORY = "memory";
// Downloads at a time. A browser has six connections to a host, and other requests need some of them.
const DOWNLOADS = 3;
// A shard that is not stored by then never will be.
const STORE_MS = 20000;

/** @param {string} variant */
const prefix = (variant) => `${encodeURIComponent(variant)}@`;
/** @param {string} variant */
const noteOf = (variant) => `${prefix(variant)}versions`;
/**
 * @param {string} variant
 * @param {number} shard
 * @param {string} hash
 */
const entryOf = (variant, shard, hash) => `${prefix(variant)}${shard}@${hash}`;

/**
 * The parts of an entry's name; null for a note.
 *
 * @param {string} name
 * @returns {Entry | null}
 */
function parse(name) {
  const [variant, shard, hash] = name.split("@");
  return hash === undefined ? null : { variant: decodeURIComponent(variant), shard: Number(shard), hash };
}

export class Weights {
  #variants;
  #base;
  #places;
  /**
   * The places that this browser offers.
   *
   * @type {Set<string>}
   */
  #offered = new Set();
  /**
   * Shards in memory, by the names of their entries.
   *
   * @type {Map<string, Blob>}
   */
  #memory = new Map();
  /**
   * The versions of the variants in memory.
   *
   * @type {Map<string, Versions>}
   */
  #memoryVersions = new Map();
  /**
   * First bytes of shards whose download broke off, by the names of their entries.
   *
   * @type {Map<string, Blob>}
   */
  #partial = new Map();
  /**
   * Names of entries that were hashed in this visit and not written since.
   *
   * @type {Set<string>}
   */
  #verified = new Set();
  /** @type {Set<string>} */
  #urls = new Set();
  /** @type {Set<{ generation: number, abort: AbortController }>} */
  #downloads = new Set();
  /**
   * Resolvers of the downloads that wait for their turn.
   *
   * @type {((value?: undefined) => void)[]}
   */
  #queue = [];
  #running = 0;
  /**
   * Where the last shard was to be stored.
   *
   * @type {PlaceName | null}
   */
  place = null;

  /**
   * @param {string} store
   * @param {ModelVariant[] | undefined} registry
   * @param {string} base
   */
  constructor(store, registry, base) {
    this.#variants = new Map((registry ?? []).map((variant) => [variant.id, variant]));
    this.#base = base;
    this.#places = places(store);
  }

  /**
   * Sets which places the browser offers.
   *
   * @param {StorageReport} report
   */
  offer({ opfs, cache, indexed_db }) {
    const offered = Object.entries({ opfs, "cache-storage": cache, "indexed-db": indexed_db });
    this.#offered = new Set(offered.filter(([, isThere]) => isThere).map(([name]) => name));
  }

  /**
   * Resolves to the shards of a variant in storage and in memory. Stays pending if storage does not
   * answer; a place that did not answer before is skipped.
   *
   * @param {string} variant
   * @returns {Promise<LocalEvent>}
   */
  async inspect(variant) {
    /** @type {Record<number, StoredShard>} */
    const shards = {};
    let versions = this.#memoryVersions.get(variant) ?? null;
    for (const place of this.#usable().reverse()) {
      let names;
      try {
        names = await place.names();
      } catch {
        // Absent or forbidden, so nothing is stored in it.
        continue;
      }
      let isUsed = false;
      for (const [name, bytes] of names) {
        const entry = parse(name);
        if (entry?.variant !== variant || bytes === 0) continue;
        isUsed = true;
        if (this.#isBetter(entry, bytes, shards[entry.shard])) {
          shards[entry.shard] = { bytes, sha256: entry.hash, is_verified: this.#verified.has(name) };
        }
      }
      if (isUsed) versions = await this.#versions(place, variant);
    }
    for (const [name, blob] of this.#memory) {
      const entry = parse(name);
      if (entry?.variant !== variant) continue;
      shards[entry.shard] = { bytes: blob.size, sha256: entry.hash, is_verified: true };
    }
    return { event: "inspected", stored: { versions, shards } };
  }

  /**
   * Of two entries for one shard, the one of this manifest is better, and then the longer one.
   *
   * @param {Entry} entry
   * @param {number} bytes
   * @param {StoredShard | undefined} other
   */
  #isBetter({ variant, shard, hash }, bytes, other) {
    if (other === undefined) return true;
    const wanted = this.#variants.get(variant)?.file.shards[shard]?.sha256;
    const [is, was] = [hash === wanted, other.sha256 === wanted];
    return is === was ? bytes > other.bytes : is;
  }

  /**
   * @param {Place} place
   * @param {string} variant
   * @returns {Promise<Versions | null>}
   */
  async #versions(place, variant) {
    try {
      const note = await place.read(noteOf(variant));
      return note && JSON.parse(await note.text());
    } catch {
      return null;
    }
  }

  #usable() {
    return [...this.#places]
      .filter(([name, place]) => this.#offered.has(name) && !place.isHung)
      .map(([, place]) => place);
  }

  /** @param {string} id */
  #variant(id) {
    const variant = this.#variants.get(id);
    if (variant === undefined) throw new Error(`variant \`${id}\` is not in the registry`);
    return variant;
  }

  /**
   * @param {string} variant
   * @param {number} shard
   * @returns {Shard}
   */
  #shard(variant, shard) {
    return this.#variant(variant).file.shards[shard];
  }

  /**
   * Finds a shard of this manifest in memory (then `place` is null), or in the first place that has
   * all of its bytes, or else in one that has some. Resolves to null if there are none.
   *
   * @param {string} variant
   * @param {number} shard
   * @returns {Promise<{ blob: Blob, place: Place | null } | null>}
   */
  async #find(variant, shard) {
    const { sha256: hash, bytes } = this.#shard(variant, shard);
    const name = entryOf(variant, shard, hash);
    const held = this.#memory.get(name);
    if (held) return { blob: held, place: null };
    let found = null;
    for (const place of this.#usable()) {
      const blob = await place.read(name).catch(() => null);
      if (blob?.size === bytes) return { blob, place };
      if (blob) found ??= { blob, place };
    }
    return found;
  }

  /**
   * @param {string} variant
   * @param {number} shard
   * @returns {Promise<LocalEvent>}
   */
  async verify(variant, shard) {
    const { sha256: expected } = this.#shard(variant, shard);
    let is_intact = false;
    try {
      const found = await this.#find(variant, shard);
      is_intact = found !== null && (await sha256(found.blob)) === expected.toLowerCase();
    } catch {
      // What can't be read is not intact.
    }
    if (is_intact) this.#verified.add(entryOf(variant, shard, expected));
    return { event: "shard-verified", shard, is_intact };
  }

  /**
   * Downloads and stores a shard. Resolves to null if the device was given up meanwhile.
   *
   * @param {EffectOf<"fetch-shard">} wanted
   * @param {(bytes: number) => void} onProgress
   * @returns {Promise<LocalEvent | null>}
   */
  async fetch({ generation, variant, shard, from, place }, onProgress) {
    const { url, bytes, sha256: expected } = this.#shard(variant, shard);
    const name = entryOf(variant, shard, expected);
    const task = { generation, abort: new AbortController() };
    this.place = place;
    this.#downloads.add(task);
    try {
      const partial = from > 0 ? await this.#first(name, from) : null;
      const address = new URL(url, this.#base).href;
      const blob = await this.#inTurn(task.abort.signal, () =>
        download({ url: address, bytes }, partial, task.abort.signal, onProgress),
      );
      if ((await sha256(blob)) !== expected.toLowerCase()) {
        throw new DownloadError("shard-corrupt", `shard \`${url}\`: another hash than the manifest's`);
      }
      this.#partial.delete(name);
      // Long work may follow, and the download is over.
      onProgress(bytes);
      return await this.#store(place, variant, shard, name, blob);
    } catch (error) {
      const isDownload = error instanceof DownloadError;
      const isGone = task.abort.signal.aborted;
      if (isGone && !isDownload) return null;
      const kind = isDownload ? error.kind : "shard-unavailable";
      const kept = isDownload ? error.kept : null;
      const kept_bytes = this.#keep(place, variant, name, kept);
      if (isGone) return null;
      return { event: "shard-failed", shard, kind, kept_bytes };
    } finally {
      this.#downloads.delete(task);
    }
  }

  /**
   * Waits until there are few enough downloads for one more.
   *
   * @template T
   * @param {AbortSignal} signal
   * @param {() => Promise<T>} begin
   */
  async #inTurn(signal, begin) {
    if (this.#running >= DOWNLOADS) await new Promise((resolve) => this.#queue.push(resolve));
    this.#running += 1;
    try {
      signal.throwIfAborted();
      return await begin();
    } finally {
      this.#running -= 1;
      this.#queue.shift()?.();
    }
  }

  /**
   * Aborts the downloads for a device that is given up. Bytes received so far are kept.
   *
   * @param {number} generation
   */
  abandon(generation) {
    for (const task of this.#downloads) if (task.generation === generation) task.abort.abort();
  }

  /**
   * Resolves to the first `from` bytes of a shard, or null if they are gone.
   *
   * @param {string} name
   * @param {number} from
   */
  async #first(name, from) {
    const held = this.#partial.get(name);
    if (held && held.size >= from) return held.slice(0, from);
    for (const place of this.#usable()) {
      const blob = await place.read(name).catch(() => null);
      if (blob && blob.size >= from) return blob.slice(0, from);
    }
    return null;
  }

  /**
   * Keeps the first bytes of a shard for the next attempt and, where possible, for the next visit.
   * Returns their number.
   *
   * @param {PlaceName} place
   * @param {string} variant
   * @param {string} name
   * @param {Blob | null} blob
   */
  #keep(place, variant, name, blob) {
    // No need to wait: the next attempt has the bytes in memory.
    const target = this.#places.get(place);
    if (!blob || blob.size === 0) {
      this.#partial.delete(name);
      target?.remove(name).catch(() => {});
      return 0;
    }
    this.#partial.set(name, blob);
    if (target) this.#note(target, variant).then(() => target.write(name, blob)).catch(() => {});
    return blob.size;
  }

  /**
   * @param {PlaceName} place
   * @param {string} variant
   * @param {number} shard
   * @param {string} name
   * @param {Blob} blob
   * @returns {Promise<LocalEvent>}
   */
  async #store(place, variant, shard, name, blob) {
    const target = this.#places.get(place);
    if (place === MEMORY || !target) {
      this.#memory.set(name, blob);
      this.#memoryVersions.set(variant, this.#variant(variant).versions);
      return { event: "shard-stored", shard };
    }
    /** @type {StorageTrouble} */
    const trouble = { name: null, message: "", written_bytes: null, wanted_bytes: blob.size };
    const isOther = (/** @type {string} */ found) => {
      const entry = parse(found);
      return entry?.variant === variant && entry.shard === shard && found !== name;
    };
    const write = async () => {
      await this.#note(target, variant);
      // Entries that other manifests have left.
      await target.removeAll(isOther);
      return target.write(name, blob);
    };
    try {
      trouble.written_bytes = await within(STORE_MS, "storing a shard", write());
      if (trouble.written_bytes === blob.size) {
        this.#verified.add(name);
        return { event: "shard-stored", shard };
      }
    } catch (error) {
      const { name, message } = /** @type {Partial<Error>} */ (error ?? {});
      trouble.name = name ?? null;
      trouble.message = message ?? "";
    }
    // Part of a shard under the shard's name is useless.
    this.#verified.delete(name);
    target.remove(name).catch(() => {});
    return { event: "store-failed", shard, trouble };
  }

  /**
   * Writes which versions belong to the variant, unless the note is there already.
   *
   * @param {Place} target
   * @param {string} variant
   */
  async #note(target, variant) {
    const text = JSON.stringify(this.#variant(variant).versions);
    const note = await target.read(noteOf(variant));
    if (note && (await note.text()) === text) return;
    const written = await target.write(noteOf(variant), new Blob([text]));
    if (written < text.length) throw new DOMException("the note was cut off", "QuotaExceededError");
  }

  /**
   * Removes everything of a variant.
   *
   * @param {string} variant
   */
  async discard(variant) {
    const isOf = (/** @type {string} */ name) => name.startsWith(prefix(variant));
    for (const held of [this.#memory, this.#partial, this.#verified]) {
      for (const name of [...held.keys()]) if (isOf(name)) held.delete(name);
    }
    this.#memoryVersions.delete(variant);
    await Promise.allSettled(this.#usable().map((place) => place.removeAll(isOf)));
  }

  // The answer changes nothing, and Firefox may never give one.
  persist() {
    try {
      navigator.storage?.persist?.().catch(() => {});
    } catch {
      // The page may not use storage.
    }
  }

  /**
   * Lends the shards of a variant to an engine: each has an address that leads to its stored bytes.
   * With them come the versions that were stored. Throws if a shard is gone. `release` revokes the
   * addresses.
   *
   * @param {ModelVariant} variant
   * @returns {Promise<Lease>}
   */
  async lease(variant) {
    /** @type {string[]} */
    const urls = [];
    const release = () => {
      for (const url of urls) {
        URL.revokeObjectURL(url);
        this.#urls.delete(url);
      }
    };
    /** @type {Versions | null} */
    let versions = variant.versions;
    try {
      for (const [shard] of variant.file.shards.entries()) {
        const found = await this.#find(variant.id, shard);
        if (found === null) throw new Error(`shard ${shard} of \`${variant.id}\` has gone`);
        if (found.place) versions = await this.#versions(found.place, variant.id);
        if (versions === null) throw new Error(`the versions of \`${variant.id}\` have gone`);
        const url = URL.createObjectURL(found.blob);
        urls.push(url);
        this.#urls.add(url);
      }
      const shards = variant.file.shards.map((shard, at) => ({ ...shard, url: urls[at] }));
      return { shards, versions, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /**
   * Forgets that the shards of a variant were verified, since an engine found one to be wrong.
   *
   * @param {string} variant
   */
  distrust(variant) {
    for (const name of [...this.#verified]) {
      if (name.startsWith(prefix(variant))) this.#verified.delete(name);
    }
    for (const name of [...this.#memory.keys()]) {
      if (name.startsWith(prefix(variant))) this.#memory.delete(name);
    }
  }

  get objectUrls() {
    return this.#urls.size;
  }

  get memoryBytes() {
    return [...this.#memory.values()].reduce((sum, blob) => sum + blob.size, 0);
  }

  // The number of shards that are stored whole, over all variants.
  async storedShards() {
    let count = 0;
    for (const place of this.#usable()) {
      /** @type {Map<string, number>} */
      const names = await place.names().catch(() => new Map());
      for (const [name, bytes] of names) {
        const entry = parse(name);
        const shard = entry && this.#variants.get(entry.variant)?.file.shards[entry.shard];
        if (entry && (!shard || shard.bytes === bytes)) count += 1;
      }
    }
    return count;
  }
}
