// The device's persistent session with the broker: connect, subscribe once, acknowledge what is on record, come back.
//
// MQTT 5 where the broker speaks it, else 3.1.1 (docs/protocol.md, "Logging in, subscribing once"). The socket is a
// WebSocket, or whatever looks like one; clock and timers are passed in.

import { Backoff } from "../backoff.js";
import {
  CONNACK, DISCONNECT, GOODBYE, PINGREQ, PINGRESP, PUBLISH, PacketReader, RETAINED_ALWAYS, RETAINED_IF_NEW, SUBACK,
  connect, decode, puback, publish, subscribe,
} from "./packets.js";
import { KEEP_ALIVE_TIMEOUT, TAKEN_OVER, UNSUPPORTED_VERSION, inWords, reasonOf, refusesLogin } from "./reasons.js";

/** What CONNECT declares. Pings come earlier (docs/decisions/0052-the-web-client.md). */
export const KEEP_ALIVE_S = 300;
/** A ping after so long without one: less than the minute after which web servers in between forget a connection. */
export const PING_MS = 45_000;
/** So long a ping has for its answer, and CONNECT for its own. */
export const ANSWER_MS = 10_000;
/** A connection that held this long was good: the next one comes at once. */
export const STABLE_MS = 20_000;
const TAKEOVERS = 3, TAKEOVER_MS = 600_000; // so often in a row, each so soon: another program wants this login for good
const REFUSALS = 5; // a login that worked before may be refused so often: the broker may just be starting

/**
 * One login's connections, one after the other.
 *
 * `listener` is told: `entered()`, to return the key that is confirmed, or ""; `voided()`, a promise, settled when that is on
 * record; `confirmed(key)`; `received(messages)`, a promise, after which they are acknowledged, and whose rejection costs
 * the connection; `subscribing()`; `pulse()` for a PINGRESP; `state(state)` for each change of `{ name, reason, retryMs }`,
 * whose name is connecting, online, waiting, refused, taken or closed.
 */
export class Connection {
  #socket = null;
  #reader;
  #version = 5;
  #older = false;
  #answered = false;
  #everAccepted = false;
  #refusals = 0;
  #takeovers = 0;
  #enteredAt = 0;
  #packetId = 0;
  #subscribing = 0;
  #waiting = [];
  #draining = false;
  #pinging = false;
  #reason = "";
  #atOnce = false;
  #timers = { retry: null, answer: null, ping: null };
  state = { name: "closed", reason: "", retryMs: 0 };

  /** `filters` are those to subscribe to: `{ filter, qos, once }`, of which some are told by the broker `once`. */
  constructor({ url, login, filters, open, timers, listener, jitter = Math.random }) {
    Object.assign(this, { url, login, filters, open, timers, listener });
    this.backoff = new Backoff({ jitter });
    this.key = [url, login.username, ...filters.map((each) => each.filter)].join(" ");
  }

  get up() {
    return this.state.name === "online";
  }

  /** Connect now, if there is no connection: also when the wait is not over, and after a refusal. */
  connect() {
    if (this.#socket) return;
    this.#clear("retry");
    this.#reason = "";
    this.#answered = this.#atOnce = false;
    this.#reader = new PacketReader();
    this.#become("connecting");
    const socket = this.open(this.url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    const mine = (handle) => (event) => socket === this.#socket && handle(event);
    socket.onopen = mine(() => this.#dialled());
    socket.onmessage = mine((event) => this.#came(new Uint8Array(event.data)));
    socket.onclose = mine(() => this.#lost());
    socket.onerror = () => {};
    this.#arm("answer", ANSWER_MS, () => this.drop("the server does not answer"));
  }

  /** Say goodbye, if somebody is there, and come back only by `connect`. The broker keeps the session. */
  close() {
    if (this.up) this.#send(GOODBYE);
    this.#release();
    this.#clear("retry");
    this.#become("closed");
  }

  /** Give this connection up, and try a new one. */
  drop(reason, { atOnce = false } = {}) {
    if (!this.#socket) return;
    this.#reason = reason;
    this.#atOnce = atOnce;
    this.#lost();
  }

  /** Something changed, as the network or that somebody looks: prove the connection, or try at once. */
  wake() {
    if (this.up) this.ping();
    else if (this.state.name === "waiting") this.connect();
  }

  /** A ping never moves the deadline of the one before it. */
  ping() {
    if (!this.up || this.#pinging) return;
    this.#pinging = true;
    this.#send(PINGREQ);
    this.#arm("answer", ANSWER_MS, () => this.drop("the server does not answer", { atOnce: true }));
  }

  /** A message with QoS 1; whether it could be sent at all. */
  publish(topic, payload) {
    if (this.up) this.#send(publish(this.#version, this.#nextPacketId(), topic, payload));
    return this.up;
  }

  /** Subscribe to everything again, for what the broker retains. */
  heal() {
    if (this.up) this.#subscribe(this.filters, RETAINED_ALWAYS);
  }

  // --- the socket -------------------------------------------------------------------------------------------------------

  #dialled() {
    const { username, password } = this.login;
    const clientId = username.replace(".", ":"); // NATS refuses a dot in it
    this.#send(connect({ version: this.#version, clientId, username, password, keepAliveS: KEEP_ALIVE_S }));
  }

  #came(bytes) {
    try {
      for (const raw of this.#reader.feed(bytes)) {
        this.#handle(decode(raw, this.#version));
        if (!this.#socket) return;
      }
    } catch (error) {
      if (error.name !== "PacketError") throw error;
      this.drop(`the server does not speak MQTT: ${error.message}`);
    }
  }

  #handle(packet) {
    switch (packet.type) {
      case CONNACK:
        return this.#answer(packet);
      case PUBLISH:
        this.backoff.reset(); // a link that carries mail is worth coming back to soon
        this.#waiting.push(packet);
        return void this.#drain(this.#socket);
      case SUBACK:
        return this.#subscribed(packet);
      case PINGRESP:
        this.#pinging = false;
        this.#clear("answer");
        return this.listener.pulse();
      case DISCONNECT:
        return this.#sentAway(reasonOf(packet.code), packet.reason);
    }
  }

  #answer({ present, code, serverKeepAliveS, reason }) {
    this.#answered = true;
    this.#clear("answer");
    const why = reasonOf(code);
    if (code) return this.#refused(why, reason);
    this.#everAccepted = true;
    this.#refusals = 0;
    this.#enteredAt = this.timers.now();
    this.#become("online");
    this.#pulse(serverKeepAliveS ? Math.min(PING_MS, serverKeepAliveS * 1000) : PING_MS);
    this.#enter(present, this.#socket);
  }

  /** Subscribe to what the broker's session lacks, and at each connection to what tells whether something is missing. */
  async #enter(present, socket) {
    const confirmed = this.listener.entered();
    const known = present && confirmed === this.key;
    if (!known && confirmed) {
      // on record before the filters go out: the session exists from now on, and would be taken for a whole one
      await this.listener.voided().catch((error) => this.drop(`nothing can be stored: ${error.message}`));
    }
    if (socket !== this.#socket) return;
    if (this.#version === 5 && known) this.#subscribe(this.filters, RETAINED_IF_NEW);
    else if (known) this.#subscribe(this.filters.filter((each) => !each.once), RETAINED_ALWAYS);
    else this.#subscribe(this.filters, RETAINED_ALWAYS);
  }

  #subscribe(filters, retained) {
    const all = filters.some((each) => each.once) && retained === RETAINED_ALWAYS;
    if (all) this.listener.subscribing();
    this.#subscribing = this.#nextPacketId();
    this.#send(subscribe(this.#version, this.#subscribing, filters.map(({ filter, qos, once }) => (
      { filter, qos, retained: once ? retained : RETAINED_ALWAYS }))));
  }

  #subscribed({ packetId, codes }) {
    if (codes.some((code, at) => code >= 0x80 && !this.filters[at]?.optional)) {
      this.#release();
      this.#become("refused", "the server does not let this device read its own mail");
    } else if (packetId === this.#subscribing && codes.length === this.filters.length) {
      this.listener.confirmed(this.key);
    }
  }

  /** One after the other: what waits is recorded together, and then acknowledged in the order in which it came. */
  async #drain(socket) {
    if (this.#draining) return;
    this.#draining = true;
    try {
      while (this.#waiting.length) {
        const messages = this.#waiting.splice(0);
        await this.listener.received(messages);
        if (socket !== this.#socket) break;
        for (const { qos, packetId } of messages) if (qos) this.#send(puback(packetId));
      }
    } catch (error) {
      if (socket === this.#socket) this.drop(`mail could not be stored: ${error.message}`);
    } finally {
      this.#draining = false;
      if (this.#socket && this.#socket !== socket && this.#waiting.length) void this.#drain(this.#socket);
    }
  }

  // --- the end of a connection ------------------------------------------------------------------------------------------

  #refused(reason, said) {
    if (reason === UNSUPPORTED_VERSION && this.#version === 5) {
      this.#older = true;
      this.#version = 4;
      return this.drop("", { atOnce: true });
    }
    if (!refusesLogin(reason)) return this.drop(`the server refused the connection: ${inWords(reason, said)}`);
    this.#refusals += 1;
    if (this.#everAccepted && this.#refusals < REFUSALS) return this.drop("the server refused the login");
    this.#release();
    this.#become("refused", "the server refuses this device: it was revoked, or its password was changed");
  }

  #sentAway(reason, said) {
    const soon = this.timers.now() - this.#enteredAt <= TAKEOVER_MS;
    this.#takeovers = reason === TAKEN_OVER ? (soon ? this.#takeovers : 0) + 1 : 0;
    if (this.#takeovers >= TAKEOVERS) {
      this.#release();
      this.#become("taken", "another program uses this device's login: pair each with a device of its own");
    } else {
      this.drop(`the server ended the connection: ${inWords(reason, said)}`, { atOnce: reason === KEEP_ALIVE_TIMEOUT });
    }
  }

  #lost() {
    const held = this.up && this.timers.now() - this.#enteredAt >= STABLE_MS;
    if (held) this.backoff.reset();
    if (!this.#answered && !this.#older && this.state.name === "connecting") this.#version = this.#version === 5 ? 4 : 5;
    else if (!this.#older && this.#answered) this.#version = 5;
    const reason = this.#reason || (this.up ? "the connection was lost" : "the server cannot be reached");
    this.#release();
    const retryMs = this.#atOnce ? 0 : this.backoff.nextMs();
    this.#become("waiting", reason, retryMs);
    this.#arm("retry", retryMs, () => this.connect());
  }

  #release() {
    const socket = this.#socket;
    this.#socket = null;
    this.#waiting = [];
    this.#pinging = false;
    this.#clear("answer");
    this.#clear("ping");
    socket?.close();
  }

  #become(name, reason = "", retryMs = 0) {
    this.state = { name, reason, retryMs };
    this.listener.state(this.state);
  }

  #send(bytes) {
    this.#socket?.send(bytes);
  }

  #nextPacketId() {
    this.#packetId = (this.#packetId % 0xffff) + 1;
    return this.#packetId;
  }

  #pulse(everyMs) {
    this.#arm("ping", everyMs, () => {
      this.ping();
      this.#pulse(everyMs);
    });
  }

  #arm(name, ms, run) {
    this.#clear(name);
    this.#timers[name] = this.timers.set(run, ms);
  }

  #clear(name) {
    this.timers.clear(this.#timers[name]);
    this.#timers[name] = null;
  }
}
