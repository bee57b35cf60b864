// The promise's value, or an error after `ms`.
export function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      reject(new DOMException(`${what} did not settle in ${ms} ms`, "TimeoutError"));
    }, ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
