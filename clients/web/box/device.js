// The device itself, in the tab that leads: what comes from the broker is recorded, told to all tabs, and acknowledged.

import { decodeDigest } from "../contract/digest.js";
import { ContractError } from "../contract/errors.js";
import { decodeReply } from "../contract/requests.js";
import { mailbox, parseTopic } from "../contract/topics.js";
import { Connection } from "../mqtt/connection.js";
import { Download } from "./download.js";
import { Inbox } from "./inbox.js";
import { GONE_IDS, Memory } from "./memory.js";
import { Wishes } from "./wishes.js";

const PATIENCE_MS = 30_000; // without any progress

/**
 * `tell(kind, value)` goes to all tabs: `state` with the connection's state, `pulse`, `box` when the store has changed,
 * `came` with mails shown for the first time, `gone` with ids, `older` when a payload is of another version.
 */
export class Device {
  #store;
  #login;
  #tell;
  #timers;
  #jitter;
  #topics;
  #inbox;
  #recalled;
  #downloads = new Set();
  #requestId;
  #due = null;
  #wishes;
  #connection;
  #bridges = new Map();
  #toldOlder = false;
  #closed = false;

  constructor({ store, login, url, open, timers, tell, jitter = Math.random }) {
    this.#store = store;
    this.#login = login;
    this.#tell = tell;
    this.#timers = timers;
    this.#jitter = jitter;
    this.#topics = mailbox(login.root, login.user, login.device);
    this.#requestId = Math.floor(jitter() * 2 ** 31);
    this.#wishes = new Wishes({
      store, timers, jitter, up: () => this.#connection.up, nextRequestId: () => this.#nextRequestId(),
      send: (payload) => this.#request(payload),
    });
    const filters = [
      { filter: this.#topics.headers, qos: 1, once: true },
      { filter: this.#topics.box, qos: 1 },
      { filter: this.#topics.replies, qos: 1 },
      { filter: "mail-bridge/+/status", qos: 0, optional: true },
    ];
    this.#connection = new Connection({
      url, open, timers, jitter, filters, listener: this,
      login: { username: this.#topics.username, password: login.password },
    });
  }

  /** Take up where the store left off, and connect. */
  async start() {
    await this.#recall();
    if (!this.#closed) this.#connection.connect();
  }

  close() {
    this.#closed = true;
    this.#timers.clear(this.#due);
    this.#connection.close();
  }

  /** The connection's state, and whether the bridge is there, as far as it says. */
  get now() {
    const bridges = [...this.#bridges.values()];
    return { ...this.#connection.state, bridge: !bridges.length || bridges.includes("online") };
  }

  /** Prove the connection, or try at once. */
  wake() {
    this.#connection.wake();
  }

  /** Try anew, also after a refusal. */
  reconnect() {
    this.#connection.connect();
  }

  /** The whole answer to an operation, as bytes. `progress(have, total)` is called as it comes. */
  fetch(operation, args, progress = () => {}) {
    return new Promise((resolve, reject) => {
      const download = new Download({
        operation, args, jitter: this.#jitter, patienceMs: PATIENCE_MS, now: this.#timers.now(),
        nextRequestId: () => this.#nextRequestId(),
      });
      this.#downloads.add({ download, resolve, reject, progress });
      this.#look();
    });
  }

  // --- what the connection tells ----------------------------------------------------------------------------------------

  entered() {
    this.#inbox.resumed(this.#timers.now());
    for (const { download } of this.#downloads) download.resumed(this.#timers.now());
    this.#wishes.entered();
    this.#timers.set(() => this.grantWishes(), 0);
    return this.#recalled.confirmed;
  }

  voided() {
    this.#recalled.confirmed = "";
    return this.#store.confirm("");
  }

  confirmed(key) {
    if (this.#recalled.confirmed === key) return;
    this.#recalled.confirmed = key;
    this.#store.confirm(key).catch(() => (this.#recalled.confirmed = ""));
  }

  subscribing() {
    this.#inbox.subscribed(this.#timers.now());
    this.#look();
  }

  pulse() {
    this.#tell("pulse");
  }

  state() {
    if (this.#closed) return; // another tab says how it is
    this.#tell("state", this.now);
    this.#look();
  }

  async received(messages) {
    const changes = [];
    const replies = [];
    for (const message of messages) this.#sort(message, changes, replies);
    if (changes.length) await this.#record(changes);
    for (const reply of replies) this.#answered(reply);
    this.#look();
  }

  // --- what arrives -----------------------------------------------------------------------------------------------------

  #sort({ topic, payload, retained }, changes, replies) {
    const now = this.#timers.now();
    const bridge = /^mail-bridge\/([^/]+)\/status$/.exec(topic);
    if (bridge) {
      this.#bridges.set(bridge[1], new TextDecoder().decode(payload));
      this.#tell("state", this.now);
      return;
    }
    try {
      const { user, what, leaf } = parseTopic(this.#login.root, topic);
      if (user !== this.#login.user) return;
      if (what === "msg") changes.push(...this.#inbox.header(leaf, payload, { retained, now }));
      if (what === "box") changes.push(...this.#inbox.digest(payload, { now }));
      if (what === "re" && leaf === this.#login.device) replies.push(decodeReply(payload));
    } catch (error) {
      if (!(error instanceof ContractError)) throw error;
      changes.push({ kind: "skipped", reason: error.message, otherVersion: error.kind === "version" });
    }
  }

  /** On record, or forgotten: then the connection ends, and the broker sends again what was not acknowledged. */
  async #record(changes) {
    const went = changes.filter((each) => each.kind === "gone");
    try {
      await this.#store.commit(changes, this.#recalled.at);
    } catch (error) {
      await this.#recall();
      throw error;
    }
    this.#recalled.at += went.length;
    this.#tell("box");
    const came = changes.filter((each) => each.kind === "shown");
    if (came.length) this.#tell("came", came.map(({ id, header }) => ({ id, header })));
    if (went.length) this.#tell("gone", went.map((each) => each.id));
    if (!this.#toldOlder && changes.some((each) => each.otherVersion)) {
      this.#toldOlder = true;
      this.#tell("older");
    }
  }

  async #recall() {
    this.#recalled = await this.#store.recall();
    const { live, gone, digest } = this.#recalled;
    const surplus = gone.splice(0, Math.max(0, gone.length - GONE_IDS));
    if (surplus.length) await this.#store.commit([], this.#recalled.at, surplus.map(([id]) => id));
    const known = digest && decodeDigest(digest);
    this.#inbox = new Inbox({ memory: new Memory({ live, gone }), digest: known, now: this.#timers.now() });
  }

  // --- requests ---------------------------------------------------------------------------------------------------------

  #answered(reply) {
    const now = this.#timers.now();
    if (this.#wishes.asked(reply)) void this.#granted(reply);
    for (const each of this.#downloads) {
      try {
        const before = each.download.have;
        each.download.answered(reply, now);
        if (each.download.have > before) each.progress(each.download.have, Number(each.download.total));
        if (!each.download.done) continue;
        each.resolve(each.download.content);
      } catch (error) {
        each.reject(error);
      }
      this.#downloads.delete(each);
    }
  }

  /** Tell the bridge what was seen here, and what was not after all. */
  async grantWishes() {
    if (await this.#wishes.tell()) this.#look();
  }

  async #granted(reply) {
    if (await this.#wishes.answered(reply)) {
      this.#tell("box");
      await this.grantWishes();
    }
    this.#look();
  }

  #request(payload) {
    return this.#connection.publish(this.#topics.requests, payload);
  }

  #nextRequestId() {
    this.#requestId = (this.#requestId + 1) % 2 ** 32;
    return this.#requestId;
  }

  // --- what does not arrive ---------------------------------------------------------------------------------------------

  /** Do what is due, and come back when the next thing is. */
  #look() {
    if (this.#closed) return;
    const now = this.#timers.now(), { up } = this.#connection;
    let next = Infinity;
    for (const each of this.#downloads) {
      try {
        each.download.checkPatience(now);
        const request = up && each.download.request(now);
        if (request) this.#request(request);
        next = Math.min(next, each.download.dueAt(up));
      } catch (error) {
        this.#downloads.delete(each);
        each.reject(error);
      }
    }
    if (up) {
      if (this.#inbox.check(now)) this.#connection.heal();
      next = Math.min(next, this.#inbox.dueAt() ?? Infinity);
      if (now >= this.#wishes.dueAt) void this.grantWishes();
      else next = Math.min(next, this.#wishes.dueAt);
    }
    this.#timers.clear(this.#due);
    this.#due = next === Infinity ? null : this.#timers.set(() => this.#look(), Math.max(50, next - now));
  }
}
