// clients/web/mqtt/connection.js against a broker that is played: what it sends when, and how it comes back.
import assert from "node:assert/strict";
import test from "node:test";
import { ANSWER_MS, Connection, PING_MS } from "../../../../clients/web/mqtt/connection.js";
import { PacketReader } from "../../../../clients/web/mqtt/packets.js";

const FILTERS = [{ filter: "m/+", qos: 1, once: true }, { filter: "box", qos: 1 }, { filter: "re", qos: 1 }, { filter: "s", qos: 0, optional: true }];
const KEY = "ws://x a.p m/+ box re s";
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** A clock that is turned by hand. */
class Timers {
  time = 0;
  waiting = new Map();
  count = 0;
  now = () => this.time;
  set = (run, ms) => {
    this.waiting.set(++this.count, { run, at: this.time + ms });
    return this.count;
  };
  clear = (id) => this.waiting.delete(id);
  pass(ms) {
    const end = this.time + ms;
    for (;;) {
      const [id, due] = [...this.waiting].filter(([, each]) => each.at <= end).sort((a, b) => a[1].at - b[1].at)[0] ?? [];
      if (!due) break;
      this.waiting.delete(id);
      this.time = Math.max(this.time, due.at);
      due.run();
    }
    this.time = end;
  }
}

/** Both ends: what was dialled and sent, and what the broker says. */
class Play {
  timers = new Timers();
  sockets = [];
  told = [];
  states = [];
  record = async () => {};
  confirmed = "";

  constructor() {
    const play = this;
    this.connection = new Connection({
      url: "ws://x", login: { username: "a.p", password: "s" }, filters: FILTERS, timers: this.timers, jitter: () => 0,
      open: () => {
        const socket = { sent: [], closed: false, send: (bytes) => socket.sent.push(bytes), close: () => (socket.closed = true) };
        this.sockets.push(socket);
        return socket;
      },
      listener: {
        entered: () => this.confirmed,
        voided: async () => { play.confirmed = ""; play.told.push("voided"); },
        confirmed: (key) => { play.confirmed = key; },
        received: (messages) => play.record(messages),
        subscribing: () => play.told.push("subscribing"),
        pulse: () => play.told.push("pulse"),
        state: (state) => play.states.push(state.name),
      },
    });
  }

  get socket() {
    return this.sockets[this.sockets.length - 1];
  }

  /** What was sent over the last socket since this was asked: the first octet and the body of each. */
  sent() {
    const reader = new PacketReader();
    return this.socket.sent.splice(0).flatMap((each) => [...reader.feed(each)]).map(({ type, flags, body }) => [type * 16 + flags, Buffer.from(body)]);
  }

  say(...octets) {
    this.socket.onmessage({ data: Uint8Array.from(octets).buffer });
  }

  async enter({ present = false } = {}) {
    this.connection.connect();
    this.socket.onopen({});
    const version = this.sent()[0][1][6];
    this.say(0x20, version === 5 ? 3 : 2, present ? 1 : 0, 0, ...(version === 5 ? [0] : []));
    await settle();
    return version;
  }
}

function options(body) {
  const found = [];
  for (let at = 3; at < body.length;) {
    const size = body.readUInt16BE(at);
    found.push([body.toString("utf8", at + 2, at + 2 + size), body[at + 2 + size] >> 4]);
    at += size + 3;
  }
  return found;
}

test("a session that is new is subscribed to with all filters, and confirmed by SUBACK", async () => {
  const play = new Play();
  assert.equal(await play.enter(), 5);
  const [[first, body]] = play.sent();
  assert.equal(first, 0x82);
  assert.deepEqual(options(body), [["m/+", 0], ["box", 0], ["re", 0], ["s", 0]]);
  play.say(0x90, 7, body[0], body[1], 0, 1, 1, 1, 0);
  assert.equal(play.confirmed, KEY);
  assert.deepEqual(play.told, ["subscribing"]);
});

test("a session that is there is not asked for what it has", async () => {
  const play = new Play();
  play.confirmed = KEY;
  await play.enter({ present: true });
  assert.deepEqual(options(play.sent()[0][1]), [["m/+", 1], ["box", 0], ["re", 0], ["s", 0]]);
  assert.deepEqual(play.told, []);
});

test("without the session its confirmation is void, on record before the filters go out", async () => {
  const play = new Play();
  play.confirmed = KEY;
  let sentBefore;
  play.connection.listener.voided = async () => { sentBefore = play.socket.sent.length; play.confirmed = ""; };
  await play.enter({ present: false });
  assert.equal(sentBefore, 0);
  assert.deepEqual(options(play.sent()[0][1])[0], ["m/+", 0]);
});

test("a message is acknowledged when it is on record, and not before, in the order in which it came", async () => {
  const play = new Play();
  await play.enter();
  play.sent();
  let recorded;
  play.record = () => new Promise((resolve) => (recorded = resolve));
  play.say(0x32, 6, 0, 1, 109, 0, 1, 0);
  play.say(0x32, 6, 0, 1, 109, 0, 2, 0);
  await settle();
  assert.deepEqual(play.sent(), []);
  recorded();
  await settle();
  assert.deepEqual(play.sent().map(([first, body]) => [first, body[1]]), [[0x40, 1]]);
  recorded();
  await settle();
  assert.deepEqual(play.sent().map(([first, body]) => [first, body[1]]), [[0x40, 2]]);
});

test("what cannot be recorded costs the connection, and is not acknowledged", async () => {
  const play = new Play();
  await play.enter();
  play.sent();
  play.record = async () => { throw new Error("disk full"); };
  play.say(0x32, 6, 0, 1, 109, 0, 1, 0);
  await settle();
  assert.deepEqual(play.sent(), []);
  assert.ok(play.socket.closed);
  assert.match(play.connection.state.reason, /disk full/);
  play.record = async () => {};
  play.timers.pass(500);
  assert.equal(play.sockets.length, 2);
});

test("what was recorded for a connection that is gone is not acknowledged on the next", async () => {
  const play = new Play();
  await play.enter();
  let recorded;
  play.record = () => new Promise((resolve) => (recorded = resolve));
  play.say(0x32, 6, 0, 1, 109, 0, 1, 0);
  play.socket.onclose({});
  play.timers.pass(500);
  play.socket.onopen({});
  play.sent();
  recorded();
  await settle();
  assert.deepEqual(play.sent(), []);
});

test("waits double up to half a minute, and begin anew after a connection that held", async () => {
  const play = new Play();
  await play.enter();
  const waits = [];
  for (let round = 0; round < 9; round++) {
    play.socket.onclose({});
    waits.push(play.connection.state.retryMs);
    play.timers.pass(waits[waits.length - 1]);
  }
  assert.deepEqual(waits, [125, 250, 500, 1000, 2000, 4000, 8000, 15000, 15000]);
  play.socket.onopen({});
  play.say(0x20, 3, 0, 0, 0);
  play.timers.pass(20_000);
  play.socket.onclose({});
  assert.equal(play.connection.state.retryMs, 125);
});

test("pings are sent, their answers told, and a ping without one ends the connection", async () => {
  const play = new Play();
  await play.enter();
  play.sent();
  play.timers.pass(PING_MS);
  assert.deepEqual(play.sent().map(([first]) => first), [0xc0]);
  play.connection.ping();
  assert.deepEqual(play.sent(), [], "one at a time");
  play.say(0xd0, 0);
  assert.deepEqual(play.told.filter((each) => each === "pulse"), ["pulse"]);
  play.timers.pass(PING_MS);
  play.timers.pass(ANSWER_MS);
  assert.equal(play.sockets.length, 2, "it comes back at once");
});

test("a server without MQTT 5 is spoken to in 3.1.1, and not asked again", async () => {
  for (const refusal of [[0x20, 2, 0, 1], [0x20, 3, 0, 0x84, 0]]) {
    const play = new Play();
    play.connection.connect();
    play.socket.onopen({});
    play.sent();
    play.say(...refusal);
    play.timers.pass(0);
    play.socket.onopen({});
    assert.equal(play.sent()[0][1][6], 4);
    play.confirmed = KEY;
    play.say(0x20, 2, 1, 0);
    await settle();
    assert.equal(play.sent()[0][1].length, 2 + 6 + 5 + 4, "only box, re and s");
    play.socket.onclose({});
    play.timers.pass(1000);
    play.socket.onopen({});
    assert.equal(play.sent()[0][1][6], 4);
  }
});

test("a server that just hangs up is spoken to in the other version", async () => {
  const play = new Play();
  play.connection.connect();
  play.socket.onopen({});
  play.sent();
  play.socket.onclose({});
  play.timers.pass(1000);
  play.socket.onopen({});
  assert.equal(play.sent()[0][1][6], 4);
});

test("a refused login is told, and not tried for ever; one that worked may be refused for a while", async () => {
  const play = new Play();
  play.connection.connect();
  play.socket.onopen({});
  play.say(0x20, 3, 0, 0x86, 0);
  assert.equal(play.connection.state.name, "refused");
  play.timers.pass(3_600_000);
  assert.equal(play.sockets.length, 1);
  await play.enter();
  play.socket.onclose({});
  for (let round = 0; round < 4; round++) {
    play.timers.pass(play.connection.state.retryMs);
    play.socket.onopen({});
    play.say(0x20, 3, 0, 0x87, 0);
    assert.equal(play.connection.state.name, "waiting");
  }
  play.timers.pass(play.connection.state.retryMs);
  play.socket.onopen({});
  play.say(0x20, 3, 0, 0x87, 0);
  assert.equal(play.connection.state.name, "refused");
});

test("another program with this login is told of at the third time", async () => {
  const play = new Play();
  for (let round = 0; round < 3; round++) {
    await play.enter({ present: true });
    play.say(0xe0, 1, 0x8e);
    if (round < 2) assert.equal(play.connection.state.name, "waiting");
  }
  assert.equal(play.connection.state.name, "taken");
});

test("a filter that is not ours to read ends it, but not one that is only nice to have", async () => {
  const play = new Play();
  await play.enter();
  const [[, body]] = play.sent();
  play.say(0x90, 7, body[0], body[1], 0, 1, 1, 1, 0x87);
  assert.equal(play.connection.state.name, "online");
  play.say(0x90, 7, body[0], body[1], 0, 0x87, 1, 1, 0);
  assert.equal(play.connection.state.name, "refused");
});

test("noise ends the connection, which is tried again", async () => {
  const play = new Play();
  await play.enter();
  play.say(0xf0, 0);
  assert.equal(play.connection.state.name, "waiting");
  assert.match(play.connection.state.reason, /does not speak MQTT/);
});

test("a server that takes the connection and says nothing is given up", async () => {
  const play = new Play();
  play.connection.connect();
  play.socket.onopen({});
  play.timers.pass(ANSWER_MS);
  assert.equal(play.connection.state.name, "waiting");
});

test("waking tries at once, or proves what is there; closing says goodbye", async () => {
  const play = new Play();
  await play.enter();
  play.sent();
  play.connection.wake();
  assert.deepEqual(play.sent().map(([first]) => first), [0xc0]);
  play.socket.onclose({});
  play.connection.wake();
  assert.equal(play.connection.state.name, "connecting");
  play.socket.onopen({});
  play.say(0x20, 3, 0, 0, 0);
  play.sent();
  const { socket } = play;
  play.connection.close();
  assert.deepEqual(Buffer.from(socket.sent.at(-1)).toString("hex"), "e000");
  play.timers.pass(3_600_000);
  assert.equal(play.connection.state.name, "closed");
  assert.equal(play.connection.publish("t", []), false);
});

test("healing subscribes to everything again", async () => {
  const play = new Play();
  play.confirmed = KEY;
  await play.enter({ present: true });
  play.sent();
  play.connection.heal();
  assert.deepEqual(options(play.sent()[0][1])[0], ["m/+", 0]);
  assert.deepEqual(play.told, ["subscribing"]);
  assert.equal(play.connection.publish("do", [1]), true);
  assert.equal(play.sent()[0][0], 0x32);
});
