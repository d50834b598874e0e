// The device's persistent session with the broker: connect, subscribe once, acknowledge what is on record, come back.
//
// MQTT 5 where the broker speaks it, else 3.1.1 (docs/protocol.md, "Logging in, subscribing once"). The socket is a
// WebSocket, or whatever looks like one; clock and timers are passed in.

import { Backoff } from "../backoff.js";
import { Inflow } from "./inflow.js";
import { Lessons } from "./lessons.js";
import {
  CONNACK, DISCONNECT, GOODBYE, PINGREQ, PINGRESP, PUBLISH, PacketReader, RETAINED_ALWAYS, RETAINED_IF_NEW, SUBACK,
  connect, decode, puback, publish, subscribe,
} from "./packets.js";
import { reasonOf } from "./reasons.js";

/** What CONNECT declares. Pings come earlier (docs/decisions/0052-the-web-client.md). */
export const KEEP_ALIVE_S = 300;
/** A ping after so long without one: less than the minute after which web servers in between forget a connection. */
export const PING_MS = 45_000;
/** So long a ping has for its answer, and CONNECT for its own. */
export const ANSWER_MS = 10_000;

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
  #lessons = new Lessons();
  #packetId = 0;
  #subscribing = 0;
  #inflow = new Inflow({
    received: (messages) => this.listener.received(messages),
    acknowledge: (packetId) => this.#send(puback(packetId)),
    failed: (error) => this.drop(`mail could not be stored: ${error.message}`),
  });
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
    this.#atOnce = false;
    this.#lessons.begun();
    this.#reader = new PacketReader();
    this.#become("connecting");
    const socket = this.open(this.url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#inflow.over(socket);
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
    if (this.up) this.#send(publish(this.#lessons.version, this.#nextPacketId(), topic, payload));
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
    this.#send(connect({ version: this.#lessons.version, clientId, username, password, keepAliveS: KEEP_ALIVE_S }));
  }

  #came(bytes) {
    try {
      for (const raw of this.#reader.feed(bytes)) {
        this.#handle(decode(raw, this.#lessons.version));
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
        return this.#inflow.add(packet);
      case SUBACK:
        return this.#subscribed(packet);
      case PINGRESP:
        this.#pinging = false;
        this.#clear("answer");
        return this.listener.pulse();
      case DISCONNECT:
        return this.#conclude(this.#lessons.sentAway(reasonOf(packet.code), packet.reason, this.timers.now()));
    }
  }

  #answer({ present, code, serverKeepAliveS, reason }) {
    this.#clear("answer");
    if (code) return this.#conclude(this.#lessons.refused(reasonOf(code), reason));
    this.#lessons.accepted(this.timers.now());
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
    if (this.#lessons.version === 5 && known) this.#subscribe(this.filters, RETAINED_IF_NEW);
    else if (known) this.#subscribe(this.filters.filter((each) => !each.once), RETAINED_ALWAYS);
    else this.#subscribe(this.filters, RETAINED_ALWAYS);
  }

  #subscribe(filters, retained) {
    const all = filters.some((each) => each.once) && retained === RETAINED_ALWAYS;
    if (all) this.listener.subscribing();
    this.#subscribing = this.#nextPacketId();
    this.#send(subscribe(this.#lessons.version, this.#subscribing, filters.map(({ filter, qos, once }) => (
      { filter, qos, retained: once ? retained : RETAINED_ALWAYS }))));
  }

  #subscribed({ packetId, codes }) {
    if (codes.some((code, at) => code >= 0x80 && !this.filters[at]?.optional)) {
      this.#conclude({ name: "refused", reason: "the server does not let this device read its own mail" });
    } else if (packetId === this.#subscribing && codes.length === this.filters.length) {
      this.listener.confirmed(this.key);
    }
  }

  // --- the end of a connection ------------------------------------------------------------------------------------------

  /** What becomes of it by a verdict of the lessons. */
  #conclude({ name, reason, atOnce }) {
    if (!name) return this.drop(reason, { atOnce });
    this.#release();
    this.#become(name, reason);
  }

  #lost() {
    if (this.#lessons.lost(this.state.name, this.timers.now())) this.backoff.reset();
    const reason = this.#reason || (this.up ? "the connection was lost" : "the server cannot be reached");
    this.#release();
    const retryMs = this.#atOnce ? 0 : this.backoff.nextMs();
    this.#become("waiting", reason, retryMs);
    this.#arm("retry", retryMs, () => this.connect());
  }

  #release() {
    const socket = this.#socket;
    this.#socket = null;
    this.#inflow.over(null);
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
