// What was seen here, and what was not after all, as the bridge is told of it: one request at a time, until it has answered.

import { Backoff } from "../backoff.js";
import { encodeRequest, tryLater } from "../contract/requests.js";

const AT_ONCE = 200;
const ANSWER_MS = 10_000;

/** `store` has the wishes; `send(payload)` is a request, which reaches the bridge while `up()`. */
export class Wishes {
  #store;
  #send;
  #up;
  #timers;
  #nextRequestId;
  #backoff;
  #asked = null;
  #telling = false;

  constructor({ store, send, up, timers, nextRequestId, jitter }) {
    this.#store = store;
    this.#send = send;
    this.#up = up;
    this.#timers = timers;
    this.#nextRequestId = nextRequestId;
    this.#backoff = new Backoff({ jitter, firstMs: 1_000, longestMs: 60_000 });
  }

  /** When to tell again what has no answer, or Infinity. */
  get dueAt() {
    return this.#asked?.dueAt ?? Infinity;
  }

  /** Another connection: whatever was asked on the one before it has to be asked again. */
  entered() {
    this.#asked = null;
  }

  /** Tell the next ones, unless others wait for their answer; whether any were told. */
  async tell() {
    if (this.#telling || !this.#up() || (this.#asked && this.#timers.now() < this.#asked.dueAt)) return false;
    this.#telling = true;
    const wishes = await this.#store.wishes().finally(() => (this.#telling = false));
    if (!this.#up()) return false;
    if (!wishes.length) {
      this.#asked = null;
      return false;
    }
    const { seen } = wishes[0];
    const ids = wishes.filter((each) => each.seen === seen).map((each) => each.id).slice(0, AT_ONCE);
    const requestId = this.#nextRequestId();
    this.#asked = { requestId, ids, seen, dueAt: this.#timers.now() + ANSWER_MS };
    this.#send(encodeRequest(requestId, seen ? "seen" : "unseen", ...ids));
    return true;
  }

  /** Whether a reply answers what was told. */
  asked({ requestId }) {
    return this.#asked?.requestId === requestId;
  }

  /** Take in that reply; whether these wishes are done with. What is refused for good will not be granted by asking again. */
  async answered(reply) {
    if (tryLater(reply)) {
      this.#asked.dueAt = this.#timers.now() + this.#backoff.nextMs();
      return false;
    }
    const { ids, seen } = this.#asked;
    this.#asked = null;
    this.#backoff.reset();
    await this.#store.granted(ids, seen);
    return true;
  }
}
