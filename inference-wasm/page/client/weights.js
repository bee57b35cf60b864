// The shards of all variants: what is stored of them, fetching, hashing, and lending them to an
// engine. What is to be done about a shard the state machine decides.
//
// In every place an entry's name is `variant@shard@sha256`, with the hash that its manifest promised,
// or `variant@versions` for the note on which versions belong to it; the note is written first.

import { DownloadError, download, sha256 } from "./download.js";
import { places } from "./storage.js";
import { within } from "../time.js";

const MEMORY = "memory";
// Downloads at a time: a browser has six connections to a host, and there is more to say on them.
const DOWNLOADS = 3;
// A shard that is not stored by then is not going to be.
const STORE_MS = 20000;

const prefix = (variant) => `${encodeURIComponent(variant)}@`;
const noteOf = (variant) => `${prefix(variant)}versions`;
const entryOf = (variant, shard, hash) => `${prefix(variant)}${shard}@${hash}`;

// The parts of an entry's name; null for a note.
function parse(name) {
  const [variant, shard, hash] = name.split("@");
  return hash === undefined ? null : { variant: decodeURIComponent(variant), shard: Number(shard), hash };
}

export class Weights {
  #variants;
  #base;
  #places;
  // The places that this browser has, as far as it was asked.
  #offered = new Set();
  // Shards in memory, by the names of their entries, and the versions of their variants.
  #memory = new Map();
  #memoryVersions = new Map();
  // First bytes of shards whose download broke off, by the names of their entries.
  #partial = new Map();
  // Names of entries that were hashed in this visit and not written since.
  #verified = new Set();
  #urls = new Set();
  #downloads = new Set();
  // Those that wait for their turn.
  #queue = [];
  #running = 0;
  // Where the last shard went.
  place = null;

  constructor(store, registry, base) {
    this.#variants = new Map((registry ?? []).map((variant) => [variant.id, variant]));
    this.#base = base;
    this.#places = places(store);
  }

  // Says which places there are, by a `StorageReport`.
  offer({ opfs, cache, indexed_db }) {
    const offered = { opfs, "cache-storage": cache, "indexed-db": indexed_db };
    this.#offered = new Set(Object.keys(offered).filter((name) => offered[name]));
  }

  // `Inspected`: what there is of a variant, in storage and in memory. Never comes if storage does
  // not answer; a place that has not answered before is not asked again.
  async inspect(variant) {
    const shards = {};
    let versions = this.#memoryVersions.get(variant) ?? null;
    for (const place of this.#usable().reverse()) {
      let names;
      try {
        names = await place.names();
      } catch {
        // Not there, or not for us: nothing is stored in it.
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
      if (entry.variant !== variant) continue;
      shards[entry.shard] = { bytes: blob.size, sha256: entry.hash, is_verified: true };
    }
    return { event: "inspected", stored: { versions, shards } };
  }

  // Of two entries for one shard: that of this manifest, and then the longer one.
  #isBetter({ variant, shard, hash }, bytes, other) {
    if (other === undefined) return true;
    const wanted = this.#shard(variant, shard)?.sha256;
    const [is, was] = [hash === wanted, other.sha256 === wanted];
    return is === was ? bytes > other.bytes : is;
  }

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

  #shard(variant, shard) {
    return this.#variants.get(variant)?.file.shards[shard];
  }

  // The bytes of a shard of this manifest, and where they are: in memory, which is no place, or in
  // the first place that has all of them. Null if there are none.
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

  // `ShardVerified`.
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

  // `ShardStored`, `ShardFailed` or `StoreFailed`; null if the device was given up meanwhile.
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
      const kept_bytes = this.#keep(place, variant, name, error.kept);
      if (isGone) return null;
      return { event: "shard-failed", shard, kind, kept_bytes };
    } finally {
      this.#downloads.delete(task);
    }
  }

  // Waits until there are few enough downloads for one more.
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

  // Ends the downloads for a device that is given up; what has come of them is kept.
  abandon(generation) {
    for (const task of this.#downloads) if (task.generation === generation) task.abort.abort();
  }

  // The first bytes of a shard, at least so many; null if they are gone.
  async #first(name, from) {
    const held = this.#partial.get(name);
    if (held?.size >= from) return held.slice(0, from);
    for (const place of this.#usable()) {
      const blob = await place.read(name).catch(() => null);
      if (blob?.size >= from) return blob.slice(0, from);
    }
    return null;
  }

  // Keeps the first bytes of a shard for the next attempt, and for the next visit where that is
  // possible. Gives how many those are.
  #keep(place, variant, name, blob) {
    // Nothing is waited for: the next attempt has the bytes in memory.
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

  async #store(place, variant, shard, name, blob) {
    const target = this.#places.get(place);
    if (place === MEMORY || !target) {
      this.#memory.set(name, blob);
      this.#memoryVersions.set(variant, this.#variants.get(variant).versions);
      return { event: "shard-stored", shard };
    }
    const trouble = { name: null, message: "", written_bytes: null, wanted_bytes: blob.size };
    const isOther = (found) => {
      const entry = parse(found);
      return entry?.variant === variant && entry.shard === shard && found !== name;
    };
    const write = async () => {
      await this.#note(target, variant);
      // What other manifests have left of it.
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
      trouble.name = error?.name ?? null;
      trouble.message = error?.message ?? "";
    }
    // Half a shard under its name is of no use to anybody.
    this.#verified.delete(name);
    target.remove(name).catch(() => {});
    return { event: "store-failed", shard, trouble };
  }

  // Writes which versions belong to the variant, unless that stands there.
  async #note(target, variant) {
    const text = JSON.stringify(this.#variants.get(variant).versions);
    const note = await target.read(noteOf(variant));
    if (note && (await note.text()) === text) return;
    const written = await target.write(noteOf(variant), new Blob([text]));
    if (written < text.length) throw new DOMException("the note was cut off", "QuotaExceededError");
  }

  // Drops all that there is of a variant.
  async discard(variant) {
    const isOf = (name) => name.startsWith(prefix(variant));
    for (const held of [this.#memory, this.#partial, this.#verified]) {
      for (const name of [...held.keys()]) if (isOf(name)) held.delete(name);
    }
    this.#memoryVersions.delete(variant);
    await Promise.allSettled(this.#usable().map((place) => place.removeAll(isOf)));
  }

  // The answer changes nothing, and in Firefox it may never come.
  persist() {
    try {
      navigator.storage?.persist?.().catch(() => {});
    } catch {
      // Storage that is kept from the page.
    }
  }

  // The shards of a variant for an engine, each under an address that leads to where it lies, and the
  // versions that were stored with them. Throws if one has gone. `release` takes the addresses back.
  async lease(variant) {
    const urls = [];
    const release = () => {
      for (const url of urls) {
        URL.revokeObjectURL(url);
        this.#urls.delete(url);
      }
    };
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

  // What an engine has found wrong is not known to be right any more.
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

  // Shards that are stored whole, over all variants.
  async storedShards() {
    let count = 0;
    for (const place of this.#usable()) {
      const names = await place.names().catch(() => new Map());
      for (const [name, bytes] of names) {
        const entry = parse(name);
        const shard = entry && this.#shard(entry.variant, entry.shard);
        if (entry && (!shard || shard.bytes === bytes)) count += 1;
      }
    }
    return count;
  }
}
