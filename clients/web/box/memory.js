// What a device remembers of ids: which are live, which are gone, which were shown.

import { crc32 } from "../contract/digest.js";

/** How many ids of mails that are gone are remembered: those that went last. */
export const GONE_IDS = 20_000;

/** Ids with the check of a digest, kept up to date in constant time. */
export class IdSet {
  #ids = new Set();
  #check = 0;

  get ids() {
    return this.#ids;
  }

  add(id) {
    if (this.#ids.has(id)) return;
    this.#ids.add(id);
    this.#check ^= crc32(id);
  }

  discard(id) {
    if (this.#ids.delete(id)) this.#check ^= crc32(id);
  }

  /** Whether the digest is that of these ids and of others, which are not among them. */
  matches(digest, others = []) {
    let check = this.#check, live = this.#ids.size, newestId = "";
    for (const id of others) {
      check ^= crc32(id);
      live += 1;
      if (id > newestId) newestId = id;
    }
    if (live !== Number(digest.live) || check >>> 0 !== Number(digest.check)) return false;
    for (const id of this.#ids) if (id > newestId) newestId = id;
    return newestId === digest.newestId;
  }
}

/**
 * Live and gone ids, each with whether it was shown.
 *
 * A mail that left the box may come back, so what was shown is remembered beyond its tombstone.
 */
export class Memory {
  #live = new Map();
  #gone = new Map();
  #box = new IdSet();

  /** `live` and `gone` are pairs of an id and whether it was shown; the latter in the order in which they went. */
  constructor({ live = [], gone = [] } = {}) {
    for (const [id, shown] of gone) this.#gone.set(id, shown);
    for (const [id, shown] of live) this.came(id, shown);
  }

  get live() {
    return this.#live;
  }

  get gone() {
    return this.#gone;
  }

  get box() {
    return this.#box;
  }

  wasShown(id) {
    return Boolean(this.#live.get(id) || this.#gone.get(id));
  }

  /** The mail is live; `shown` if it is on the screen now, else as before. */
  came(id, shown = false) {
    this.#live.set(id, shown || this.wasShown(id));
    this.#gone.delete(id);
    this.#box.add(id);
  }

  /** The mail is not live any more. The oldest of too many gone ids are forgotten. */
  went(id) {
    const shown = this.wasShown(id);
    this.#live.delete(id);
    this.#gone.delete(id);
    this.#gone.set(id, shown);
    this.#box.discard(id);
    if (this.#gone.size > GONE_IDS) this.#gone.delete(this.#gone.keys().next().value);
  }
}
