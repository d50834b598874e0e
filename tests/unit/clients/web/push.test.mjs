// clients/web/push.js: a subscription is made when it has to be, and told to the bridge at each start.
import assert from "node:assert/strict";
import test from "node:test";
import { Push, SUBSCRIBE_MS } from "../../../../clients/web/push.js";

const KEY = "BA", OTHER = "BQ"; // base64url of one octet each: 4 and 5

/** A browser's PushManager, the bridge, and what each was told. */
class Play {
  told = [];
  made = 0;
  subscription = null;
  state = "";
  key = KEY;
  timers = { set: (run, ms) => (this.timer = { run, ms }), clear: () => (this.timer = null) };
  manager = {
    getSubscription: async () => this.subscription,
    subscribe: async ({ applicationServerKey, userVisibleOnly }) => {
      assert.equal(userVisibleOnly, true);
      const endpoint = `https://push.example/${(this.made += 1)}`;
      return (this.subscription = {
        options: { applicationServerKey: applicationServerKey.buffer },
        toJSON: () => ({ endpoint, keys: { p256dh: "p", auth: "a" } }),
        unsubscribe: async () => (this.subscription = null),
      });
    },
  };
  ask = async (operation, args) => {
    assert.equal(operation, "push");
    if (args) {
      this.told.push(args[0]);
      this.endpoint = args[0];
      this.state = "new";
    }
    const texts = [this.key, this.endpoint ?? "", this.state, ""].map((each) => Buffer.from(each));
    return Uint8Array.from([0x94, ...texts.flatMap((each) => [0xa0 | each.length, ...each])]);
  };
  push = new Push({ ask: this.ask, manager: this.manager, timers: this.timers });
}

test("it subscribes once, and says so at each start", async () => {
  const play = new Play();
  assert.equal((await play.push.renew()).state, "new");
  await play.push.renew();
  assert.deepEqual([play.made, play.told], [1, ["https://push.example/1", "https://push.example/1"]]);
  assert.equal(play.timer, null);
});

test("what the push service has forgotten is made anew", async () => {
  const play = new Play();
  await play.push.renew();
  Object.assign(play, { state: "forgotten", endpoint: "" });
  assert.deepEqual((await play.push.renew()).endpoint, "https://push.example/2");
  assert.deepEqual(play.told, ["https://push.example/1", "https://push.example/2"]);
});

test("so is what was made for another key, and what the browser has lost", async () => {
  const play = new Play();
  await play.push.renew();
  play.key = OTHER;
  await play.push.renew();
  assert.equal(play.made, 2);
  play.subscription = null;
  await play.push.renew();
  assert.equal(play.made, 3);
  assert.equal(play.told.at(-1), "https://push.example/3");
});

test("a push service that does not answer is given up", async () => {
  const play = new Play();
  play.manager.subscribe = () => new Promise(() => {});
  const renewing = play.push.renew();
  while (!play.timer) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(play.timer.ms, SUBSCRIBE_MS);
  play.timer.run();
  await assert.rejects(renewing, /does not answer/);
  assert.deepEqual(play.told, []);
});

test("without Web Push, here or there, it says so", async () => {
  const play = new Play();
  play.key = "";
  await assert.rejects(play.push.renew(), /switched off/);
  play.push.manager = null;
  await assert.rejects(play.push.renew(), /no Web Push/);
});

test("the end of it is told, too", async () => {
  const play = new Play();
  await play.push.renew();
  await play.push.end();
  assert.deepEqual([play.subscription, play.told.at(-1)], [null, ""]);
});
