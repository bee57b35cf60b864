// Downloads one shard, or the rest of it, and fails with a typed error.

/** @import { EngineErrorKind } from "../../types/protocol.d.ts" */

/** @typedef {{ url: string, bytes: number }} Wanted */

// Between two reports of progress.
const PROGRESS_MS = 100;
const HTML = /^\s*<(!doctype html|html)/i;

/** A shard that could not be downloaded. */
export class DownloadError extends Error {
  /**
   * @param {EngineErrorKind} kind
   * @param {string} message
   * @param {Blob | null} kept correct first bytes of the shard
   */
  constructor(kind, message, kept = null) {
    super(message);
    this.kind = kind;
    this.kept = kept;
  }
}

/**
 * @param {string} url
 * @param {string} why
 */
const corrupt = (url, why) => new DownloadError("shard-corrupt", `shard \`${url}\`: ${why}`);

/**
 * Resolves to the whole shard.
 *
 * @param {Wanted} wanted
 * @param {Blob | null} partial the first bytes, if there are some already
 * @param {AbortSignal} signal
 * @param {(bytes: number) => void} onProgress takes the number of bytes so far
 */
export async function download({ url, bytes }, partial, signal, onProgress) {
  const from = partial?.size ?? 0;
  /** @type {Record<string, string>} */
  const headers = from > 0 ? { range: `bytes=${from}-` } : {};
  let response;
  try {
    response = await fetch(url, { headers, signal });
  } catch (error) {
    throw new DownloadError("shard-unavailable", `shard \`${url}\`: no answer: ${error}`, partial);
  }
  if (response.status === 416) throw corrupt(url, "the server has fewer bytes than are here");
  if (!response.ok) {
    const why = `HTTP ${response.status} ${response.statusText}`;
    throw new DownloadError("shard-unavailable", `shard \`${url}\`: ${why}`, partial);
  }
  if (response.headers.get("content-type")?.startsWith("text/html")) {
    throw corrupt(url, "got HTML instead of weights");
  }
  // A server without support for ranges sends everything.
  const isRest = response.status === 206;
  if (isRest && !isFrom(response, from)) throw corrupt(url, `got another range than from ${from}`);
  /** @type {Piece[]} */
  const pieces = isRest && partial !== null && from > 0 ? [partial] : [];
  await read(response, { url, bytes }, pieces, onProgress);
  return new Blob(pieces);
}

/**
 * @param {Response} response
 * @param {number} from
 */
function isFrom(response, from) {
  const range = response.headers.get("content-range");
  return range === null || range.startsWith(`bytes ${from}-`);
}

/** @typedef {Blob | Uint8Array<ArrayBuffer>} Piece */

/** @param {Piece} piece */
const sizeOf = (piece) => (piece instanceof Blob ? piece.size : piece.byteLength);

/**
 * Appends the body to `pieces`.
 *
 * @param {Response} response
 * @param {Wanted} wanted
 * @param {Piece[]} pieces
 * @param {(bytes: number) => void} onProgress
 */
async function read(response, { url, bytes }, pieces, onProgress) {
  const { body } = response;
  if (body === null) throw new Error(`shard \`${url}\`: the answer has no body`);
  const reader = body.getReader();
  const truncated = (/** @type {string} */ why) => {
    const message = `shard \`${url}\`: ${why}: expected ${bytes} bytes, found ${received}`;
    return new DownloadError("shard-truncated", message, new Blob(pieces));
  };
  let received = pieces.reduce((sum, piece) => sum + sizeOf(piece), 0);
  let isFirst = received === 0;
  let reported = performance.now();
  for (;;) {
    let piece;
    try {
      piece = await reader.read();
    } catch (error) {
      throw truncated(`the connection broke off: ${error}`);
    }
    if (piece.done) break;
    if (isFirst && HTML.test(new TextDecoder().decode(piece.value.subarray(0, 64)))) {
      reader.cancel().catch(() => {});
      throw corrupt(url, "got HTML instead of weights");
    }
    isFirst = false;
    received += piece.value.byteLength;
    if (received > bytes) {
      reader.cancel().catch(() => {});
      throw corrupt(url, `expected ${bytes} bytes, found at least ${received}`);
    }
    pieces.push(piece.value);
    if (performance.now() - reported >= PROGRESS_MS) {
      reported = performance.now();
      onProgress(received);
    }
  }
  if (received < bytes) throw truncated("the answer ended early");
}

/**
 * The SHA-256 in hex.
 *
 * @param {Blob} blob
 */
export async function sha256(blob) {
  const digest = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
