/**
 * The promise's value, or an error after `ms`.
 *
 * @template T
 * @param {number} ms
 * @param {string} what
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
export function within(ms, what, promise) {
  /** @type {number | undefined} */
  let timer;
  /** @type {Promise<never>} */
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      reject(new DOMException(`${what} did not settle in ${ms} ms`, "TimeoutError"));
    }, ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
