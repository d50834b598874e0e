// clients/web/box/download.js over a link that loses, doubles and disorders.
import assert from "node:assert/strict";
import test from "node:test";
import { Download, RequestError, STALL_MS, WINDOW_BYTES } from "../../../../clients/web/box/download.js";
import { unpack } from "../../../../clients/web/contract/messagepack.js";

function download(operation = "raw", args = ["00t64ks8n"]) {
  let number = 0;
  return new Download({ operation, args, nextRequestId: () => ++number, jitter: () => 0, patienceMs: 30_000, now: 0 });
}

const asked = (request) => unpack(request, 16_384);
const chunk = (requestId, offset, total, octets, status = 0, text = "") => ({ requestId, status, offset, total, chunk: Uint8Array.from(octets), text });

test("chunks are put together by their places", () => {
  const reading = download();
  assert.deepEqual(asked(reading.request(0)), [1, 1, "raw", "00t64ks8n", 0, WINDOW_BYTES]);
  assert.equal(reading.request(1), null);
  reading.answered(chunk(1, 2, 5, [2, 3]), 1);
  reading.answered(chunk(1, 0, 5, [0, 1]), 2);
  reading.answered(chunk(1, 0, 5, [0, 1]), 2);
  reading.answered(chunk(9, 4, 5, [9]), 2);
  assert.equal(reading.have, 4);
  reading.answered(chunk(1, 3, 5, [3, 4]), 3);
  assert.ok(reading.done);
  assert.deepEqual([...reading.content], [0, 1, 2, 3, 4]);
});

test("a hole is asked for, and no more than the hole", () => {
  const reading = download();
  reading.request(0);
  reading.answered(chunk(1, 3, 6, [3, 4, 5]), 1);
  assert.equal(reading.dueAt(true), 1001);
  assert.deepEqual(asked(reading.request(1001)).slice(4), [0, 3]);
  reading.answered(chunk(2, 0, 6, [0, 1, 2]), 1002);
  assert.deepEqual([...reading.content], [0, 1, 2, 3, 4, 5]);
});

test("silence is asked again, and given up in the end", () => {
  const reading = download("text");
  reading.request(0);
  assert.equal(reading.request(STALL_MS - 1), null);
  assert.ok(reading.request(STALL_MS));
  reading.checkPatience(29_999);
  assert.throws(() => reading.checkPatience(30_000), RequestError);
  assert.equal(reading.dueAt(false), 30_000);
  reading.resumed(7);
  assert.equal(reading.dueAt(true), 7);
});

test("too many requests wait; what is refused is told; what changes is begun no more", () => {
  const reading = download();
  reading.request(0);
  reading.answered(chunk(1, 0, 0, [], 5), 10);
  assert.equal(reading.dueAt(true), 260);
  assert.throws(() => reading.answered(chunk(1, 0, 0, [], 3, "body gone"), 11), (error) => error.message === "body gone" && error.status === 3);
  reading.answered(chunk(1, 0, 9, [1]), 12);
  assert.throws(() => reading.answered(chunk(1, 1, 8, [1]), 13), /changed/);
});

test("what has no offset is asked without one, and an empty answer is an answer", () => {
  const reading = download("push", ["https://push.example/x", "p", "a"]);
  assert.deepEqual(asked(reading.request(0)), [1, 1, "push", "https://push.example/x", "p", "a"]);
  reading.answered(chunk(1, 0, 0, []), 1);
  assert.ok(reading.done);
  assert.equal(reading.content.length, 0);
  assert.equal(reading.request(9), null);
});

test("a window that is full is followed by the next at once", () => {
  const reading = download();
  reading.request(0);
  for (let at = 0; at < WINDOW_BYTES; at += 8192) reading.answered(chunk(1, at, WINDOW_BYTES + 1, new Uint8Array(8192)), 5);
  assert.deepEqual(asked(reading.request(5)).slice(4), [WINDOW_BYTES, WINDOW_BYTES]);
});
