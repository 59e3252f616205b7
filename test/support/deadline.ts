/** Waiting in tests: for an event, with a limit that fails the test and says what did not happen. */

/** Rejects when `promise` has not settled after `limitMs`; `what` completes "waited 5000 ms for …". */
export async function within<Value>(promise: Promise<Value>, limitMs: number, what: string): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${limitMs} ms for ${what}`)), limitMs);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Waits until `condition` holds, looking again every 20 ms. Only for what sends no event, such as the descriptors of
 * another process.
 */
export async function until(condition: () => boolean, limitMs: number, what: string): Promise<void> {
  const end = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits until `read` has returned the same value six times in a row, 20 ms apart: nothing moves any more. */
export async function settled<Value>(read: () => Value): Promise<void> {
  let last = read();
  for (let same = 0; same < 5; same++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const value = read();
    if (value !== last) same = -1;
    last = value;
  }
}
