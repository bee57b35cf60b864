// Fetching one shard: from the byte that is wanted on, with a typed reason where it fails.

// Between two reports of progress.
const PROGRESS_MS = 100;
const HTML = /^\s*<(!doctype html|html)/i;

// A shard that did not come. `kind` is the protocol's, `kept` a Blob with the first bytes of the
// shard, right as far as they go.
export class DownloadError extends Error {
  constructor(kind, message, kept = null) {
    super(message);
    this.kind = kind;
    this.kept = kept;
  }
}

const corrupt = (url, why) => new DownloadError("shard-corrupt", `shard \`${url}\`: ${why}`);

// The whole shard as a Blob. `partial` holds its first bytes, or is null; `onProgress` hears how
// many there are.
export async function download({ url, bytes }, partial, signal, onProgress) {
  const from = partial?.size ?? 0;
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
  // A server that does not know ranges sends everything.
  const isRest = response.status === 206;
  if (isRest && !isFrom(response, from)) throw corrupt(url, `got another range than from ${from}`);
  const pieces = isRest && from > 0 ? [partial] : [];
  await read(response, { url, bytes }, pieces, onProgress);
  return new Blob(pieces);
}

function isFrom(response, from) {
  const range = response.headers.get("content-range");
  return range === null || range.startsWith(`bytes ${from}-`);
}

// Appends what comes to `pieces`.
async function read(response, { url, bytes }, pieces, onProgress) {
  const reader = response.body.getReader();
  const truncated = (why) => {
    const message = `shard \`${url}\`: ${why}: expected ${bytes} bytes, found ${received}`;
    return new DownloadError("shard-truncated", message, new Blob(pieces));
  };
  let received = pieces.reduce((sum, piece) => sum + piece.size, 0);
  let isFirst = received === 0;
  let told = performance.now();
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
    if (performance.now() - told >= PROGRESS_MS) {
      told = performance.now();
      onProgress(received);
    }
  }
  if (received < bytes) throw truncated("the answer ended early");
}

// SHA-256 of a Blob, in hex.
export async function sha256(blob) {
  const digest = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
