// Reading an answer of any length in pieces, whatever gets lost, doubled or delayed. Pure; moments are milliseconds.

import { Backoff } from "../backoff.js";
import { encodeRequest, tryLater } from "../contract/requests.js";

/** How much is asked for at once. */
export const WINDOW_BYTES = 256 * 1024;
/** When nothing came for this long, the rest is asked for again. */
export const STALL_MS = 5_000;
/** The same when later chunks are here already, so that one is missing or late. */
export const HOLE_MS = 1_000;
/** How many chunks are kept that came before their turn. */
export const EARLY_CHUNKS = 64;
const WHOLE = new Set(["parts", "seen", "unseen", "push"]); // answered at once, without an offset

/** A request that came to nothing, in words for the user. `status` is the bridge's, 0 where it said nothing. */
export class RequestError extends Error {
  constructor(message, status = 0) {
    super(message);
    this.name = "RequestError";
    this.status = status;
  }
}

/** One operation of the bridge, whose answer is kept in order and without holes. */
export class Download {
  #operation;
  #args;
  #nextRequestId;
  #backoff;
  #asked = new Set();
  #early = new Map();
  #patienceMs;
  #progressAt;
  #dueAt;
  #windowEnd = Infinity;
  #chunks = [];
  have = 0;
  total = null;

  /** `patienceMs` bounds the time without progress. */
  constructor({ operation, args, nextRequestId, jitter = Math.random, patienceMs, now }) {
    this.#operation = operation;
    this.#args = args;
    this.#nextRequestId = nextRequestId;
    this.#backoff = new Backoff({ jitter, firstMs: 500, longestMs: 10_000 });
    this.#patienceMs = patienceMs;
    this.#progressAt = this.#dueAt = now;
  }

  /** Whether the whole answer is here. */
  get done() {
    return this.have === this.total;
  }

  /** The answer so far. */
  get content() {
    const bytes = new Uint8Array(this.have);
    let at = 0;
    for (const chunk of this.#chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  }

  /** When to look again at the latest: to send a request, while `up`, or to give up. */
  dueAt(up) {
    const givesUpAt = this.#progressAt + this.#patienceMs;
    return up ? Math.min(this.#dueAt, givesUpAt) : givesUpAt;
  }

  /** Throws a RequestError if there was no progress for too long. */
  checkPatience(now) {
    if (!this.done && now - this.#progressAt >= this.#patienceMs) {
      throw new RequestError(`no answer from the mail server for ${Math.round(this.#patienceMs / 1000)} seconds`);
    }
  }

  /** The connection is back: what was on its way is taken for lost. */
  resumed(now) {
    this.#dueAt = now;
  }

  /** The request to send now, or null if none is due. */
  request(now) {
    if (this.done || now < this.#dueAt) return null;
    this.#dueAt = now + STALL_MS;
    const requestId = this.#nextRequestId();
    this.#asked.add(requestId);
    if (WHOLE.has(this.#operation)) return encodeRequest(requestId, this.#operation, ...this.#args);
    const nearest = Math.min(this.have + WINDOW_BYTES, ...this.#early.keys());
    this.#windowEnd = nearest;
    return encodeRequest(requestId, this.#operation, ...this.#args, this.have, nearest - this.have);
  }

  /** Take in a reply; others' replies are ignored. Throws a RequestError when the bridge refuses or contradicts itself. */
  answered(reply, now) {
    if (!this.#asked.has(reply.requestId) || this.done) return;
    if (tryLater(reply)) {
      this.#dueAt = now + this.#backoff.nextMs();
      return;
    }
    if (reply.status) throw new RequestError(reply.text, Number(reply.status));
    if (this.total !== null && this.total !== reply.total) throw new RequestError("the mail changed while it was read");
    this.total = reply.total;
    this.#backoff.reset();
    this.#keep(reply);
    if (this.#passOn()) this.#progressAt = now;
    this.#dueAt = this.have >= this.#windowEnd ? now : now + (this.#early.size ? HOLE_MS : STALL_MS);
  }

  #keep({ offset, chunk }) {
    if (offset >= this.have && (this.#early.size < EARLY_CHUNKS || offset === this.have)) {
      const before = this.#early.get(offset);
      if (!before || before.length < chunk.length) this.#early.set(offset, chunk);
    } else if (offset < this.have && this.have < offset + chunk.length) {
      this.#early.set(this.have, chunk.subarray(this.have - offset));
    }
  }

  #passOn() {
    const before = this.have;
    for (;;) {
      const offset = Math.min(...this.#early.keys());
      if (offset > this.have) break;
      const rest = this.#early.get(offset).subarray(this.have - offset);
      this.#early.delete(offset);
      if (rest.length) {
        this.#chunks.push(rest);
        this.have += rest.length;
      }
    }
    return this.have > before;
  }
}
