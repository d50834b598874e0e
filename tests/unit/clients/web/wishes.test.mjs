// clients/web/box/wishes.js: what was seen is told until the bridge has answered, and told once.
import assert from "node:assert/strict";
import test from "node:test";
import { Wishes } from "../../../../clients/web/box/wishes.js";

/** What is on record, and what was sent. */
class Play {
  wishes = new Map();
  sent = [];
  time = 0;
  number = 0;
  isUp = true;
  told = new Wishes({
    store: {
      wishes: async () => [...this.wishes].map(([id, seen]) => ({ id, seen })),
      granted: async (ids, seen) => ids.forEach((id) => this.wishes.get(id) === seen && this.wishes.delete(id)),
    },
    send: (payload) => this.sent.push(Buffer.from(payload).toString("latin1").replace(/[^ -~]/g, " ")),
    up: () => this.isUp, timers: { now: () => this.time }, nextRequestId: () => (this.number += 1), jitter: () => 0,
  });

  answer(status = 0, requestId = this.number) {
    const reply = { requestId, status };
    return this.told.asked(reply) && this.told.answered(reply);
  }
}

test("nothing is told where nothing was seen, or nobody hears it", async () => {
  const play = new Play();
  assert.equal(await play.told.tell(), false);
  play.wishes.set("00t64ks8n", true);
  play.isUp = false;
  assert.equal(await play.told.tell(), false);
  assert.deepEqual(play.sent, []);
  assert.equal(play.told.dueAt, Infinity);
});

test("one request at a time, those that are alike together, until the answer", async () => {
  const play = new Play();
  play.wishes = new Map([["00t64ks8m", true], ["00t64ks8n", false], ["00t64ks8p", true]]);
  assert.deepEqual(await Promise.all([play.told.tell(), play.told.tell()]), [true, false]);
  assert.match(play.sent[0], / seen.*00t64ks8m.*00t64ks8p/);
  assert.equal(await play.told.tell(), false);
  assert.equal(await play.answer(0, 99), false);
  assert.equal(await play.answer(), true);
  assert.deepEqual([...play.wishes.keys()], ["00t64ks8n"]);
  assert.equal(await play.told.tell(), true);
  assert.match(play.sent[1], / unseen.*00t64ks8n/);
  await play.answer();
  assert.equal(await play.told.tell(), false);
  assert.equal(play.sent.length, 2);
});

test("what has no answer is told again after a while, and at once on another connection", async () => {
  const play = new Play();
  play.wishes.set("00t64ks8n", true);
  await play.told.tell();
  play.time = play.told.dueAt;
  assert.equal(await play.told.tell(), true);
  play.told.entered();
  assert.equal(await play.told.tell(), true);
  assert.equal(play.sent.length, 3);
  play.wishes.clear();
  play.time = play.told.dueAt;
  assert.equal(await play.told.tell(), false);
  assert.equal(play.told.dueAt, Infinity, "granted meanwhile, to another tab");
});

test("a bridge that cannot just now is asked later; what it refuses is let go", async () => {
  const play = new Play();
  play.wishes.set("00t64ks8n", true);
  await play.told.tell();
  assert.equal(await play.answer(5), false);
  assert.ok(play.told.dueAt < 1_000);
  play.time = play.told.dueAt;
  await play.told.tell();
  assert.equal(await play.answer(1), true);
  assert.equal(play.wishes.size, 0);
});

test("what was undone while the first was on its way is told as well", async () => {
  const play = new Play();
  play.wishes.set("00t64ks8n", true);
  await play.told.tell();
  play.wishes.set("00t64ks8n", false);
  await play.answer();
  assert.equal(await play.told.tell(), true);
  assert.match(play.sent[1], / unseen/);
});
