// Plays stories through clients/web/box and prints what changed at each step; test_box_in_javascript.py compares.
import { readFileSync } from "node:fs";
import { decodeDigest } from "../../../../clients/web/contract/digest.js";
import { Inbox } from "../../../../clients/web/box/inbox.js";
import { Memory } from "../../../../clients/web/box/memory.js";

const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (octets) => (octets ? Buffer.from(octets).toString("hex") : "");
const told = {
  shown: ({ id, payload }) => ["shown", id, hex(payload)],
  live: ({ id }) => ["live", id],
  gone: ({ id, shown }) => ["gone", id, shown],
  digest: ({ payload }) => ["digest", decodeDigest(payload).newestId],
  skipped: ({ otherVersion }) => ["skipped", otherVersion],
};

const steps = {
  header: (inbox, now, id, payload, retained) => inbox.header(id, bytes(payload), { retained, now }),
  digest: (inbox, now, payload) => inbox.digest(bytes(payload), { now }),
  check: (inbox, now) => [{ kind: "check", is: inbox.check(now) }],
  subscribed: (inbox, now) => (inbox.subscribed(now), []),
};

for (const story of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
  const memory = new Memory();
  const inbox = new Inbox({ memory, now: 0 });
  const seen = story.map(([step, now, ...rest]) => {
    const changes = steps[step](inbox, now, ...rest).map((each) => told[each.kind]?.(each) ?? [each.kind, each.is]);
    return [changes, inbox.agrees, inbox.dueAt(), [...memory.live.keys()].sort(), memory.gone.size];
  });
  console.log(JSON.stringify(seen));
}
