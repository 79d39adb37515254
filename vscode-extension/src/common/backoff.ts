// How long to wait before a server that ended is started again. Pure: the clock is given.

const firstDelay = 500;
const longestDelay = 30_000;
const calm = 60_000;

/** Doubles the delay with each start that ends early, and forgets once a server lived for a minute. */
export class Backoff {
  readonly #now: () => number;
  #failures = 0;
  #startedAt = 0;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  started(): void {
    this.#startedAt = this.#now();
  }

  /** The server ended by itself. Returns milliseconds until the next start. */
  ended(): number {
    if (this.#now() - this.#startedAt >= calm) this.#failures = 0;
    const delay = Math.min(longestDelay, firstDelay * 2 ** this.#failures);
    this.#failures += 1;
    return delay;
  }

  get failures(): number {
    return this.#failures;
  }

  forget(): void {
    this.#failures = 0;
  }
}
