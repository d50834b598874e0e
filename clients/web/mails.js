// The mails to be shown: what is on record, and what somebody here has just said of it.

import { decodeHeader } from "./contract/header.js";

/** So long what was said here holds, whatever the box says: the bridge's answer and what follows it may come in any order. */
export const MEANT_MS = 10_000;

/** `store` is where it is on record; `tell()` is called when the list may be another one. */
export class Mails {
  #store;
  #timers;
  #tell;
  #meant = new Map(); // by id: whether it was seen, until when that holds at least, and the mail, which may have left the box

  constructor({ store, timers, tell }) {
    this.#store = store;
    this.#timers = timers;
    this.#tell = tell;
  }

  /** Newest first; and whether the box was ever heard of. */
  async list() {
    const [rows, wishes, digest] = await Promise.all([this.#store.mails(), this.#store.wishes(), this.#store.fact("digest")]);
    const mails = new Map();
    for (const { id, payload, opened } of rows) {
      if (payload) mails.set(id, { id, opened, payload: payload.length, header: decodeHeader(payload) });
    }
    const waiting = new Map(wishes.map(({ id, seen }) => [id, seen]));
    for (const [id, seen] of waiting) if (seen) mails.delete(id);
    for (const [id, { seen, untilMs, mail }] of this.#meant) {
      if (this.#timers.now() >= untilMs && !waiting.has(id)) this.#meant.delete(id);
      else if (seen) mails.delete(id);
      else if (!mails.has(id)) mails.set(id, mail);
    }
    return { mails: [...mails.values()].sort((one, other) => (one.id < other.id ? 1 : -1)), loaded: digest !== undefined };
  }

  /** Somebody has seen these, or not after all. On record first, whoever leads, and in whichever connection. */
  async mark(mails, seen) {
    const untilMs = this.#timers.now() + MEANT_MS;
    for (const mail of mails) this.#meant.set(mail.id, { seen, untilMs, mail });
    this.#timers.set(() => this.#tell(), MEANT_MS);
    await this.#store.wish(mails.map((each) => each.id), seen);
  }
}
