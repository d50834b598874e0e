// The box of one user as this device sees it: what to show, what is gone, whether something is missing.
//
// Pure: payloads and moments come in, changes come out, in the order in which they must be recorded. Whatever is delivered
// twice, late, in another order or not at all: a mail is shown once, and the digest decides what is live (docs/protocol.md,
// "Keeping the box"). Moments are milliseconds that only grow.

import { decodeDigest } from "../contract/digest.js";
import { ContractError } from "../contract/errors.js";
import { decodeHeader } from "../contract/header.js";
import { IdSet } from "./memory.js";

/** So long the box may disagree with its digest after the last change before it is healed. */
export const GRACE_MS = 4_000;
/** The same when changes never pause that long. */
export const BUSY_GRACE_MS = 60_000;
/** The wait doubles with every healing that did not help, up to this. */
export const LONGEST_WAIT_MS = 3_600_000;

/**
 * The state machine: `header` and `digest` for what arrives, `dueAt` and `check` for what does not.
 *
 * Changes are `{ kind: "shown", id, header, payload }`, to be put on the screen for the first time;
 * `{ kind: "live", id, payload }`, in the box without being shown, `payload` null where its header cannot be read;
 * `{ kind: "gone", id, shown }`; `{ kind: "digest", payload }`, which is another one;
 * and `{ kind: "skipped", reason, otherVersion }`.
 */
export class Inbox {
  #memory;
  #digest;
  #doubtful = new Map(); // headers that came after a tombstone of the same mail: which of the two is late?
  #heard = null; // while healing: what the box holds as heard since the subscription
  #digestHeard = false;
  #newsAt;
  #agreedAt;
  #healings = 0;

  /** `digest` is the last one that was recorded, or null. */
  constructor({ memory, digest = null, now }) {
    this.#memory = memory;
    this.#digest = digest;
    this.#newsAt = this.#agreedAt = now;
  }

  /** Whether the box is exactly what its digest says. */
  get agrees() {
    return this.#digest !== null && this.#memory.box.matches(this.#digest);
  }

  // --- what arrives -----------------------------------------------------------------------------------------------------

  /** A payload of `msg/<id>`. `retained`: it answers a subscription, so it is the broker's present state. */
  header(id, payload, { retained, now }) {
    this.#newsAt = now;
    if (!payload.length) return [...this.#tombstone(id), ...this.#compare(now)];
    this.#heard?.add(id);
    if (this.#memory.gone.has(id) && !retained) {
      this.#doubtful.set(id, payload);
      return this.#compare(now);
    }
    this.#doubtful.delete(id);
    return [...this.#came(id, payload), ...this.#compare(now)];
  }

  /** A payload of `box`; an empty one says nothing. */
  digest(payload, { now }) {
    if (!payload.length) return [];
    let digest;
    try {
      digest = decodeDigest(payload);
    } catch (error) {
      return [skipped(error)];
    }
    const before = this.#digest;
    const news = before && same(before, digest) ? [] : [{ kind: "digest", payload }];
    this.#newsAt = now;
    this.#digestHeard = true;
    this.#digest = digest;
    const changes = this.#compare(now);
    if (this.agrees) this.#doubtful.clear();
    return [...news, ...changes];
  }

  // --- what does not ----------------------------------------------------------------------------------------------------

  /** When to `check` next if nothing arrives until then, or null. */
  dueAt() {
    if (this.agrees) return this.#doubtful.size ? this.#newsAt + GRACE_MS : null;
    if (this.#digest === null && !this.#memory.live.size) return null;
    const wait = Math.min(GRACE_MS * 2 ** this.#healings, LONGEST_WAIT_MS);
    return Math.min(this.#newsAt + wait, this.#agreedAt + Math.max(wait, BUSY_GRACE_MS));
  }

  /** Whether all filters have to be subscribed to again, because the box has gone astray. */
  check(now) {
    const dueAt = this.dueAt();
    if (dueAt === null || now < dueAt) return false;
    if (this.agrees) {
      this.#doubtful.clear();
      return false;
    }
    this.#healings += 1;
    return true;
  }

  /** The device subscribes now: what is retained will be told anew. */
  subscribed(now) {
    this.#heard = new IdSet();
    this.#digestHeard = false;
    this.#newsAt = this.#agreedAt = now;
  }

  /** The connection is back: what is missing may still be on its way, and waits begin anew. */
  resumed(now) {
    this.#healings = 0;
    this.#newsAt = this.#agreedAt = now;
  }

  // --- below ------------------------------------------------------------------------------------------------------------

  #came(id, payload) {
    const known = this.#memory.live.has(id);
    if (this.#memory.wasShown(id)) {
      this.#memory.came(id);
      return known ? [] : [{ kind: "live", id, payload }];
    }
    let header;
    try {
      header = decodeHeader(payload);
    } catch (error) {
      this.#memory.came(id);
      return known ? [skipped(error)] : [{ kind: "live", id, payload: null }, skipped(error)];
    }
    this.#memory.came(id, true);
    return [{ kind: "shown", id, header, payload }];
  }

  #tombstone(id) {
    this.#doubtful.delete(id);
    this.#heard?.discard(id);
    if (this.#memory.gone.has(id)) return [];
    const shown = this.#memory.wasShown(id);
    this.#memory.went(id);
    return [{ kind: "gone", id, shown }];
  }

  /** Compare with the digest: with the doubtful mails, and while healing without leftovers. */
  #compare(now) {
    let changes = [];
    if (!this.agrees && this.#digest !== null) {
      if (this.#doubtful.size && this.#memory.box.matches(this.#digest, this.#doubtful.keys())) {
        changes = this.#settle([...this.#doubtful.keys()]);
      } else if (this.#digestHeard && this.#heard?.matches(this.#digest)) {
        changes = this.#adopt(this.#heard.ids);
      }
    }
    if (this.agrees) {
      this.#heard = null;
      this.#healings = 0;
      this.#agreedAt = now;
    }
    return changes;
  }

  /** These doubtful mails came back. */
  #settle(ids) {
    const changes = [];
    for (const id of ids.sort()) {
      const payload = this.#doubtful.get(id);
      this.#doubtful.delete(id);
      changes.push(...this.#came(id, payload));
    }
    return changes;
  }

  /** The box is what was heard since the subscription: show the doubtful, drop the leftovers. */
  #adopt(heard) {
    const kept = new Set(heard);
    const changes = this.#settle([...this.#doubtful.keys()].filter((id) => kept.has(id)));
    for (const id of [...this.#memory.live.keys()].filter((each) => !kept.has(each)).sort()) {
      changes.push(...this.#tombstone(id));
    }
    return changes;
  }
}

function same(one, other) {
  return one.live === other.live && one.check === other.check && one.newestId === other.newestId;
}

function skipped(error) {
  if (!(error instanceof ContractError)) throw error;
  return { kind: "skipped", reason: error.message, otherVersion: error.kind === "version" };
}
