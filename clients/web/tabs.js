// One connection for all tabs: the one that holds the lock leads, the others ask it (Web Locks, BroadcastChannel).
//
// A tab that the browser has frozen keeps its lock, and may even answer its neighbours, while nothing comes from the
// server. So what proves it is the answer of the server, a PINGRESP, that it relays; a tab that is looked at asks for one,
// and without it steals the lock. The robbed tab learns of it when it thaws, closes its connection and waits in line.

const LOCK = "postbell", CHANNEL = "postbell";
/** A tab that is looked at and has heard nothing of the server for so long asks. */
export const QUIET_MS = 60_000;
/** So long the answer may take; a connection that is just being tried takes up to ten seconds. */
export const PROOF_MS = 12_000;
const ALONE = { request: (name, options, run) => run() }; // without https a browser has no locks: each tab leads
const ENDS = new Set(["refused", "taken"]); // states that last until somebody does something

/**
 * `lead()` starts what leads and resolves to `{ close, wake, ask(operation, args, progress), now }`; `heard(kind, value)`
 * is told what happens, in whichever tab; `visible()` says whether somebody looks at this one.
 */
export class Tabs {
  #channel;
  #name = Math.random().toString(36).slice(2);
  #leader = null;
  #inLine = false;
  #asked = new Map();
  #number = 0;
  #proof = null;
  #quiet = null;

  constructor({ lead, heard, visible, timers, locks = navigator.locks ?? ALONE, channel = new BroadcastChannel(CHANNEL) }) {
    Object.assign(this, { lead, heard, visible, timers, locks });
    this.#channel = channel;
    channel.onmessage = (event) => this.#receive(event.data);
  }

  get leads() {
    return this.#leader !== null;
  }

  /** Wait in line for the lead, and see meanwhile whether the tab that has it is alive. */
  start() {
    void this.#queue({ steal: false });
    this.#post("hello");
    this.look();
  }

  /** Tell all tabs, this one too. */
  tell(kind, value) {
    this.#post(kind, { value });
    this.#hear(kind, value);
  }

  /** Have the tab that leads do something; what comes of it. Another tab that takes the lead is asked again. */
  ask(operation, args = [], progress = () => {}) {
    if (this.#leader) return this.#leader.ask(operation, args, progress);
    return new Promise((resolve, reject) => {
      const number = (this.#number += 1);
      this.#asked.set(number, { operation, args, progress, resolve, reject });
      this.#post("ask", { number, operation, args });
      this.#prove();
    });
  }

  /** Somebody looks at this tab, or the network changed: is the connection alive? */
  look() {
    if (this.#leader) this.#leader.wake();
    else if (this.visible()) this.#prove();
  }

  // --- the lead ---------------------------------------------------------------------------------------------------------

  async #queue({ steal }) {
    let leader = null, robbed = false, end;
    const until = new Promise((resolve) => (end = resolve));
    this.#inLine ||= !steal;
    try {
      await this.locks.request(LOCK, steal ? { steal } : {}, async () => {
        this.#inLine &&= steal;
        leader = await this.lead();
        if (robbed) return leader.close();
        this.#leader = leader;
        this.#trust();
        this.#post("leader", { value: leader.now });
        this.#askAgain();
        return until;
      });
    } catch (error) {
      if (error.name !== "AbortError") return this.heard("failed", error.message);
      robbed = true; // whoever did it leads now
      end();
      leader?.close();
      this.#leader = null;
      this.heard("box"); // what it missed is on record, and how it is the next one says
      this.#post("hello");
      if (!this.#inLine) void this.#queue({ steal: false });
    }
  }

  #askAgain() {
    for (const [number, each] of this.#asked) {
      this.#asked.delete(number);
      this.#leader.ask(each.operation, each.args, each.progress).then(each.resolve, each.reject);
    }
  }

  /** Without a sign of the server in time the lead is stolen. */
  #prove() {
    this.#post("alive?");
    this.#proof ??= this.timers.set(() => {
      this.#proof = null;
      if (!this.#leader) void this.#queue({ steal: true });
    }, PROOF_MS);
  }

  #trust() {
    this.timers.clear(this.#proof);
    this.#proof = null;
    this.timers.clear(this.#quiet);
    this.#quiet = this.timers.set(() => this.look(), QUIET_MS);
  }

  // --- the others -------------------------------------------------------------------------------------------------------

  #receive({ kind, from, to, number, operation, args, value, error, have, total }) {
    if (to && to !== this.#name) return;
    if (this.#leader) {
      const { now } = this.#leader;
      if (kind === "alive?") this.#leader.wake();
      if (kind === "alive?" && ENDS.has(now.name)) this.#post("state", { value: now });
      if (kind === "hello") this.#post("state", { to: from, value: now });
      if (kind === "ask") void this.#serve(from, number, operation, args);
      return;
    }
    const asked = this.#asked.get(number);
    if (kind === "leader") {
      this.#hear("state", value, this.#name);
      for (const [again, each] of this.#asked) this.#post("ask", { number: again, ...plain(each) });
    } else if (kind === "progress") asked?.progress(have, total);
    else if (kind === "answer") {
      this.#asked.delete(number);
      if (error) asked?.reject(Object.assign(new Error(error.message), error));
      else asked?.resolve(value);
    } else if (value !== undefined || kind === "pulse" || kind === "box" || kind === "older") this.#hear(kind, value, to);
  }

  #hear(kind, value, to) {
    if (kind === "pulse" || (kind === "state" && !to && value.name !== "connecting")) this.#trust();
    this.heard(kind, value);
  }

  async #serve(from, number, operation, args) {
    const progress = (have, total) => this.#post("progress", { to: from, number, have, total });
    try {
      this.#post("answer", { to: from, number, value: await this.#leader.ask(operation, args, progress) });
    } catch (error) {
      this.#post("answer", { to: from, number, error: { message: error.message, name: error.name, status: error.status } });
    }
  }

  #post(kind, more = {}) {
    this.#channel.postMessage({ kind, from: this.#name, ...more });
  }
}

function plain({ operation, args }) {
  return { operation, args };
}
