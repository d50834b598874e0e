// clients/web/mqtt/packets.js against octets taken from the two specifications.
import assert from "node:assert/strict";
import test from "node:test";
import {
  CONNACK, DISCONNECT, LONGEST_PACKET, PUBACK, PUBLISH, PacketError, PacketReader, SUBACK, connect, decode, puback, publish, subscribe,
} from "../../../../clients/web/mqtt/packets.js";

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const bytes = (text) => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
const read = (text, version = 5) => [...new PacketReader().feed(bytes(text))].map((each) => decode(each, version));
const LOGIN = { clientId: "a:p", username: "a.p", password: "s", keepAliveS: 300 };

test("CONNECT of both versions asks for a session that lasts", () => {
  assert.equal(hex(connect({ version: 4, ...LOGIN })), hex(bytes("10 17 0004 4d515454 04 c0 012c 0003 613a70 0003 612e70 0001 73")));
  assert.equal(hex(connect({ version: 5, ...LOGIN })),
    hex(bytes("10 1d 0004 4d515454 05 c0 012c 05 11 00278d00 0003 613a70 0003 612e70 0001 73")));
});

test("SUBSCRIBE says in MQTT 5 when what is retained is told", () => {
  const filters = [{ filter: "m", qos: 1, retained: 1 }, { filter: "b", qos: 1, retained: 0 }];
  assert.equal(hex(subscribe(5, 7, filters)), hex(bytes("82 0b 0007 00 0001 6d 11 0001 62 01")));
  assert.equal(hex(subscribe(4, 7, filters)), hex(bytes("82 0a 0007 0001 6d 01 0001 62 01")));
});

test("PUBLISH and PUBACK", () => {
  assert.equal(hex(publish(5, 258, "t", bytes("ff"))), "32070001740102" + "00ff");
  assert.equal(hex(publish(4, 258, "t", bytes("ff"))), "3206000174" + "0102ff");
  assert.equal(hex(puback(258)), "40020102");
});

test("a large payload has a length of several octets", () => {
  const [raw] = new PacketReader().feed(publish(4, 1, "t", new Uint8Array(200_000)));
  assert.equal(decode(raw, 4).payload.length, 200_000);
});

test("CONNACK with what the server says of itself", () => {
  const [told] = read("20 10 01 00 0d 13 003c 21 000a 1f 0002 6869 2a 01");
  assert.deepEqual(told, { type: CONNACK, present: true, code: 0, serverKeepAliveS: 60, reason: "hi" });
  assert.deepEqual(read("20 02 00 05", 4), [{ type: CONNACK, present: false, code: 5, serverKeepAliveS: 0, reason: "" }]);
});

test("PUBLISH is read with its flags, whatever properties it has", () => {
  const [told] = read("33 1a 0001 74 0102 10 02 00000e10 08 0001 72 26 0001 61 0001 62 6d61696c");
  assert.deepEqual({ ...told, payload: hex(told.payload) },
    { type: PUBLISH, qos: 1, retained: true, topic: "t", packetId: 258, payload: "6d61696c" });
  assert.equal(read("30 03 0001 74", 4)[0].qos, 0);
});

test("acknowledgements and goodbyes", () => {
  assert.deepEqual(read("40 02 0001"), [{ type: PUBACK, packetId: 1, code: 0 }]);
  assert.deepEqual(read("40 03 0001 87"), [{ type: PUBACK, packetId: 1, code: 0x87 }]);
  assert.deepEqual(read("90 06 0001 00 01 00 80"), [{ type: SUBACK, packetId: 1, codes: [1, 0, 0x80] }]);
  assert.deepEqual(read("e0 01 8e"), [{ type: DISCONNECT, code: 0x8e }]);
  assert.equal(read("e0 08 98 06 1f 0003 627965")[0].reason, "bye");
  assert.deepEqual(read("e0 00"), [{ type: DISCONNECT, code: 0 }]);
});

test("packets are cut out of the stream wherever it is cut", () => {
  const stream = bytes("20 02 00 00 d0 00 33 09 0001 74 0102 6d616964 90 03 0001 01");
  for (let size = 1; size <= stream.length; size++) {
    const reader = new PacketReader(), found = [];
    for (let at = 0; at < stream.length; at += size) found.push(...[...reader.feed(stream.subarray(at, at + size))].map((each) => decode(each, 4).type));
    assert.deepEqual(found, [2, 13, 3, 9]);
  }
});

test("what no device is sent, and what is no MQTT, is refused", () => {
  for (const wrong of ["35 05 0001 74 0001", "10 00", "f0 00", "20 01 00", "30 04 0004 74 00", "33 05 0001 ff 0001", "20 05 00 00 02 7f 00",
    "20 05 00 00 07 13 00", "ff ff ff ff ff ff", "80 00", "20 06 00 00 02 13 0001"]) {
    assert.throws(() => read(wrong), PacketError, wrong);
  }
  assert.throws(() => read("e0 00", 4), PacketError);
  assert.throws(() => [...new PacketReader().feed(bytes("30 81 80 80 02"))], PacketError, `more than ${LONGEST_PACKET}`);
  assert.throws(() => connect({ version: 5, ...LOGIN, password: "s".repeat(70_000) }), PacketError);
});

test("noise is read or refused, and nothing else", () => {
  let seed = 1;
  const next = (below) => (seed = (seed * 48271) % 2147483647) % below;
  for (let round = 0; round < 20_000; round++) {
    const body = Uint8Array.from({ length: next(24) }, () => next(256));
    try {
      decode({ type: 2 + next(13), flags: next(16), body }, round % 2 ? 5 : 4);
    } catch (error) {
      assert.ok(error instanceof PacketError, String(error));
    }
  }
});
