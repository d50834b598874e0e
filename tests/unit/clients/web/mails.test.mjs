// clients/web/mails.js: what somebody has just said holds until the box says it, too, in whichever order that comes.
import assert from "node:assert/strict";
import test from "node:test";
import { MEANT_MS, Mails } from "../../../../clients/web/mails.js";

const HEADER = Uint8Array.from([0x95, 1, 0, 0xa1, 0x41, 0xa3, 0x61, 0x40, 0x62, 0xa1, 0x53]); // from A, a@b: S
const OLD = "00t64ks8m", NEW = "00t64ks8n";

/** What is on record, changed by hand as the broker and the bridge would. */
class Play {
  rows = new Set([OLD, NEW]);
  wishes = new Map();
  time = 0;
  due = [];
  told = 0;
  digest = new Uint8Array(1);
  store = {
    mails: async () => [...this.rows].map((id) => ({ id, payload: HEADER })),
    wishes: async () => [...this.wishes].map(([id, seen]) => ({ id, seen })),
    fact: async () => this.digest,
    wish: async (ids, seen) => ids.forEach((id) => this.wishes.set(id, seen)),
  };
  mails = new Mails({
    store: this.store, tell: () => (this.told += 1),
    timers: { now: () => this.time, set: (run, ms) => this.due.push({ run, at: this.time + ms }) },
  });

  async shown() {
    return (await this.mails.list()).mails.map(({ id }) => id);
  }

  pass(ms) {
    this.time += ms;
    for (const each of this.due.splice(0)) each.at <= this.time ? each.run() : this.due.push(each);
  }

  mark(id, seen) {
    return this.mails.mark([{ id }], seen);
  }
}

test("newest first, and whether the box was ever heard of", async () => {
  const play = new Play();
  assert.deepEqual(await play.shown(), [NEW, OLD]);
  assert.equal((await play.mails.list()).loaded, true);
  play.digest = undefined;
  assert.equal((await play.mails.list()).loaded, false);
});

test("what was seen stays away when the answer comes before the tombstone", async () => {
  const play = new Play();
  await play.mark(NEW, true);
  assert.deepEqual(await play.shown(), [OLD]);
  play.wishes.clear(); // granted
  assert.deepEqual(await play.shown(), [OLD]);
  play.rows.delete(NEW);
  assert.deepEqual(await play.shown(), [OLD]);
  play.pass(MEANT_MS);
  assert.equal(play.told, 1);
  assert.deepEqual(await play.shown(), [OLD]);
});

test("what was undone stays there while its tombstone comes, and until its header has come back", async () => {
  const play = new Play();
  await play.mark(NEW, true);
  await play.mark(NEW, false);
  assert.deepEqual(await play.shown(), [NEW, OLD]);
  play.rows.delete(NEW); // that of the first wish
  assert.deepEqual(await play.shown(), [NEW, OLD]);
  play.wishes.clear();
  assert.deepEqual(await play.shown(), [NEW, OLD]);
  play.rows.add(NEW);
  play.pass(MEANT_MS);
  assert.deepEqual(await play.shown(), [NEW, OLD]);
  play.rows.delete(NEW); // seen elsewhere
  assert.deepEqual(await play.shown(), [OLD]);
});

test("without a network it holds for as long as that lasts", async () => {
  const play = new Play();
  await play.mark(NEW, true);
  play.pass(10 * MEANT_MS);
  assert.deepEqual(await play.shown(), [OLD]);
  await play.mark(NEW, false);
  play.rows.delete(NEW);
  play.pass(10 * MEANT_MS);
  assert.deepEqual(await play.shown(), [NEW, OLD]);
});

test("what the bridge did not grant is back after a while", async () => {
  const play = new Play();
  await play.mark(NEW, true);
  play.wishes.clear();
  play.pass(MEANT_MS);
  assert.deepEqual(await play.shown(), [NEW, OLD]);
});

test("what another tab has marked is away as well", async () => {
  const play = new Play();
  play.wishes.set(OLD, true);
  assert.deepEqual(await play.shown(), [NEW]);
});
