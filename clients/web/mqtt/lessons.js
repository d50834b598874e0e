// What each connection teaches the next: which version to speak, and when another try is of no use. Pure.

import { KEEP_ALIVE_TIMEOUT, TAKEN_OVER, UNSUPPORTED_VERSION, inWords, refusesLogin } from "./reasons.js";

/** A connection that held this long was good: the next one comes at once. */
export const STABLE_MS = 20_000;
const TAKEOVERS = 3, TAKEOVER_MS = 600_000; // so often in a row, each so soon: another program wants this login for good
const REFUSALS = 5; // a login that worked before may be refused so often: the broker may just be starting

/**
 * Verdicts are `{ reason, atOnce }`, to try again, or `{ name, reason }`, a state that lasts until somebody does something.
 * Moments are milliseconds.
 */
export class Lessons {
  #older = false;
  #answered = false;
  #everAccepted = false;
  #refusals = 0;
  #takeovers = 0;
  #enteredAt = 0;
  /** The version to speak: 5, else 4, which is 3.1.1. */
  version = 5;

  begun() {
    this.#answered = false;
  }

  accepted(now) {
    this.#answered = this.#everAccepted = true;
    this.#refusals = 0;
    this.#enteredAt = now;
  }

  /** CONNACK refuses: the verdict. */
  refused(reason, said) {
    this.#answered = true;
    if (reason === UNSUPPORTED_VERSION && this.version === 5) {
      this.#older = true;
      this.version = 4;
      return { reason: "", atOnce: true };
    }
    if (!refusesLogin(reason)) return { reason: `the server refused the connection: ${inWords(reason, said)}` };
    this.#refusals += 1;
    if (this.#everAccepted && this.#refusals < REFUSALS) return { reason: "the server refused the login" };
    return { name: "refused", reason: "the server refuses this device: it was revoked, or its password was changed" };
  }

  /** DISCONNECT: the verdict. */
  sentAway(reason, said, now) {
    const soon = now - this.#enteredAt <= TAKEOVER_MS;
    this.#takeovers = reason === TAKEN_OVER ? (soon ? this.#takeovers : 0) + 1 : 0;
    if (this.#takeovers >= TAKEOVERS) {
      return { name: "taken", reason: "another program uses this device's login: pair each with a device of its own" };
    }
    return { reason: `the server ended the connection: ${inWords(reason, said)}`, atOnce: reason === KEEP_ALIVE_TIMEOUT };
  }

  /** It is lost, in the state of this name; whether it was a good one. A server that just hung up may speak the other version. */
  lost(name, now) {
    if (!this.#older && this.#answered) this.version = 5;
    else if (!this.#older && name === "connecting") this.version = this.version === 5 ? 4 : 5;
    return name === "online" && now - this.#enteredAt >= STABLE_MS;
  }
}
