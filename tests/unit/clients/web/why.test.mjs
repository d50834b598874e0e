// clients/web/view/why.js: what holds, what does not, and what to do.
import assert from "node:assert/strict";
import test from "node:test";
import { checks } from "../../../../clients/web/view/why.js";

const WELL = {
  state: { name: "online", reason: "", bridge: true }, permission: "granted", standalone: true, ios: false, secure: true, worker: true,
  login: { user: "alice", device: "phone" }, push: { key: "k", endpoint: "https://push.example/1", state: "ok", reason: "" },
};

/** What does not hold, in words. */
function wrong(facts) {
  return checks({ ...WELL, ...facts }).filter(([holds]) => holds === false).map((each) => each.slice(1).join(" "));
}

test("where all is well nothing is wrong", () => {
  assert.deepEqual(wrong({}), []);
  assert.deepEqual(wrong({ push: { ...WELL.push, state: "new" } }), []);
});

test("each thing that keeps it from ringing is told, with what to do", () => {
  for (const [facts, words] of [
    [{ state: { name: "waiting", reason: "the connection was lost" } }, /not connected: the connection was lost/],
    [{ state: { name: "online", bridge: false } }, /bridge is down/],
    [{ secure: false }, /https/],
    [{ ios: true, standalone: false }, /Add to Home Screen/],
    [{ worker: false }, /service worker/],
    [{ permission: "denied" }, /forbids/],
    [{ permission: "default" }, /never asked/],
    [{ push: { ...WELL.push, key: "" } }, /switched off/],
    [{ push: { ...WELL.push, endpoint: "", state: "" } }, /Switch it on below/],
    [{ push: { ...WELL.push, state: "failing", reason: "503" } }, /takes nothing.*503/],
    [{ push: { ...WELL.push, endpoint: "", state: "forgotten" } }, /forgotten this device.*next opened/],
  ]) {
    const found = wrong(facts);
    assert.equal(found.length, 1, String(words));
    assert.match(found[0], words);
  }
});

test("what is not known yet is not taken for wrong", () => {
  assert.deepEqual(wrong({ push: undefined }), []);
  assert.deepEqual(wrong({ push: new Error("no answer") }), []);
});
