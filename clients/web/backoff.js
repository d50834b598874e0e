// How long to wait before the next try.

/** Waits that double from `firstMs` to `longestMs`, each cut by up to half at random, which `jitter` gives from [0, 1). */
export class Backoff {
  #tries = 0;

  constructor({ jitter = Math.random, firstMs = 250, longestMs = 30_000 } = {}) {
    Object.assign(this, { jitter, firstMs, longestMs });
  }

  get tries() {
    return this.#tries;
  }

  /** Milliseconds until the next try; each call counts as one failure. */
  nextMs() {
    const wait = Math.min(this.longestMs, this.firstMs * 2 ** Math.min(this.#tries, 32));
    this.#tries += 1;
    return wait * (0.5 + this.jitter() / 2);
  }

  /** It worked: the next failure waits as short as the first. */
  reset() {
    this.#tries = 0;
  }
}
