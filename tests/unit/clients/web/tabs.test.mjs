// clients/web/tabs.js: who leads, who is asked, and what happens to a tab that does not move any more.
import assert from "node:assert/strict";
import test from "node:test";
import { PROOF_MS, QUIET_MS, Tabs } from "../../../../clients/web/tabs.js";

const settle = async () => {
  for (let round = 0; round < 10; round++) await new Promise((resolve) => setImmediate(resolve));
};

class Timers {
  time = 0;
  waiting = new Map();
  count = 0;
  set = (run, ms) => (this.waiting.set(++this.count, { run, at: this.time + ms }), this.count);
  clear = (id) => this.waiting.delete(id);
  async pass(ms) {
    this.time += ms;
    for (const [id, { run, at }] of [...this.waiting]) if (at <= this.time && this.waiting.delete(id)) run();
    await settle();
  }
}

/** Web Locks, as far as they are used. */
class Locks {
  held = null;
  line = [];
  request(_, options, run) {
    return new Promise((resolve, reject) => {
      const entry = { run, resolve, reject };
      if (options.steal) {
        this.held?.reject(Object.assign(new Error("stolen"), { name: "AbortError" }));
        this.grant(entry);
      } else if (this.held) this.line.push(entry);
      else this.grant(entry);
    });
  }
  grant(entry) {
    this.held = entry;
    Promise.resolve().then(entry.run).then(entry.resolve, entry.reject).finally(() => {
      if (this.held === entry && (this.held = null) === null && this.line.length) this.grant(this.line.shift());
    });
  }
}

/** Tabs of one browser. */
class World {
  locks = new Locks();
  timers = new Timers();
  channels = [];
  leaders = [];

  tab({ visible = true, proves = true } = {}) {
    const channel = { postMessage: (data) => {
      if (channel.frozen) return;
      for (const other of this.channels) if (other !== channel && !other.frozen) queueMicrotask(() => other.onmessage({ data: structuredClone(data) }));
    } };
    this.channels.push(channel);
    const heard = [];
    const tab = {
      channel, heard, visible,
      tabs: new Tabs({
        locks: this.locks, timers: this.timers, channel, visible: () => tab.visible, heard: (kind, value) => heard.push([kind, value]),
        lead: async () => {
          const leader = {
            now: { name: "online", reason: "", retryMs: 0 }, closed: false, asked: [],
            close: () => (leader.closed = true),
            wake: () => proves && tab.tabs.tell("pulse"),
            ask: async (operation, args, progress) => {
              leader.asked.push([operation, args]);
              progress(1, 2);
              if (operation === "fail") throw Object.assign(new Error("no"), { name: "RequestError", status: 3 });
              return `${operation} by ${this.leaders.indexOf(leader)}`;
            },
          };
          this.leaders.push(leader);
          return leader;
        },
      }),
    };
    tab.tabs.start();
    return tab;
  }
}

test("one of three leads, and does what the others ask", async () => {
  const world = new World();
  const [one, two, three] = [world.tab(), world.tab(), world.tab()];
  await settle();
  assert.deepEqual([one, two, three].map((each) => each.tabs.leads), [true, false, false]);
  const seen = [];
  assert.equal(await two.tabs.ask("text", ["a"], (...given) => seen.push(given)), "text by 0");
  assert.equal(await one.tabs.ask("raw"), "raw by 0");
  assert.deepEqual(seen, [[1, 2]]);
  await assert.rejects(three.tabs.ask("fail"), (error) => error.status === 3 && error.message === "no");
  assert.ok(three.heard.some(([kind, value]) => kind === "state" && value.name === "online"), "it is told at once how it is");
  one.tabs.tell("box");
  await settle();
  assert.ok([one, two, three].every((each) => each.heard.some(([kind]) => kind === "box")));
  await world.timers.pass(PROOF_MS);
  assert.equal(world.leaders.length, 1, "who proves it is alive keeps the lead");
});

test("a tab that is frozen is robbed, closes when it thaws, and waits in line", async () => {
  const world = new World();
  const one = world.tab({ visible: false, proves: false });
  await settle();
  const two = world.tab();
  await settle();
  const answer = two.tabs.ask("text");
  await settle();
  assert.equal(await answer, "text by 0", "it still answers its neighbours");
  await world.timers.pass(PROOF_MS);
  assert.deepEqual([one.tabs.leads, two.tabs.leads], [false, true]);
  assert.ok(world.leaders[0].closed);
  assert.equal(await one.tabs.ask("raw"), "raw by 1");
});

test("a tab whose login is refused is not robbed for that", async () => {
  const world = new World();
  world.tab({ visible: false, proves: false });
  await settle();
  world.leaders[0].now = { name: "refused", reason: "revoked", retryMs: 0 };
  const two = world.tab();
  await settle();
  await world.timers.pass(PROOF_MS);
  assert.equal(two.tabs.leads, false);
  assert.equal(two.heard.findLast(([kind]) => kind === "state")[1].reason, "revoked");
});

test("a try to connect that just begins proves nothing", async () => {
  const world = new World();
  const one = world.tab({ visible: false, proves: false });
  await settle();
  const two = world.tab();
  await settle();
  one.tabs.tell("state", { name: "connecting", reason: "", retryMs: 0 });
  await settle();
  await world.timers.pass(PROOF_MS);
  assert.equal(two.tabs.leads, true);
});

test("a tab that nobody looks at robs nobody until somebody does", async () => {
  const world = new World();
  world.tab({ proves: false });
  await settle();
  const two = world.tab({ visible: false });
  await settle();
  await world.timers.pass(QUIET_MS + PROOF_MS);
  assert.equal(two.tabs.leads, false);
  two.visible = true;
  two.tabs.look();
  await world.timers.pass(PROOF_MS);
  assert.equal(two.tabs.leads, true);
});

test("what was asked of a tab that is gone is asked of the next", async () => {
  const world = new World();
  const one = world.tab();
  await settle();
  const two = world.tab();
  await settle();
  one.channel.frozen = true;
  const answer = two.tabs.ask("text");
  await world.timers.pass(PROOF_MS);
  assert.equal(await answer, "text by 1");
});

test("silence after a proof is asked about again", async () => {
  const world = new World();
  const one = world.tab();
  await settle();
  const two = world.tab();
  await settle();
  one.channel.frozen = true;
  await world.timers.pass(QUIET_MS);
  await world.timers.pass(PROOF_MS);
  assert.equal(two.tabs.leads, true);
});

test("a tab that cannot lead says so", async () => {
  const world = new World();
  const one = world.tab();
  await settle();
  assert.ok(one.tabs.leads);
  const heard = [];
  const broken = new Tabs({
    locks: new Locks(), timers: world.timers, channel: { postMessage() {} }, visible: () => true, heard: (...given) => heard.push(given),
    lead: async () => { throw new Error("no disk"); },
  });
  broken.start();
  await settle();
  assert.deepEqual(heard, [["failed", "no disk"]]);
});
