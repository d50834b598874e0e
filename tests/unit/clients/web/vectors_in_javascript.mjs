// Runs the shared vectors, and payloads that others judged, through clients/web/contract under node.
//
// Arguments: where the vectors are, and a JSON file of [decoder, hex, verdict] (or none). Prints a line for each that came
// out otherwise, and at last how many there were.

import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { decodeDigest, digestOf } from "../../../../clients/web/contract/digest.js";
import { ContractError } from "../../../../clients/web/contract/errors.js";
import { decodeHeader, describe, flagNames } from "../../../../clients/web/contract/header.js";
import { receivedMs, validId } from "../../../../clients/web/contract/ids.js";
import {
  decodeParts, decodePush, decodeRecent, decodeReply, encodeRequest,
} from "../../../../clients/web/contract/requests.js";
import { mailbox, parseTopic, validName } from "../../../../clients/web/contract/topics.js";

const [VECTORS, JUDGED] = process.argv.slice(2);
const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (octets) => Buffer.from(octets).toString("hex");
let count = 0;

function fields(vector) {
  const { flags, from_name: fromName, from_address: fromAddress, subject, snippet, size, detail, date } = vector;
  return { flags, fromName, fromAddress, subject, snippet, size, detail, date };
}

/** Numbers that JSON could not carry exactly are compared as it carries them. */
function plain(value) {
  return JSON.parse(JSON.stringify(value, (_, each) => (typeof each === "bigint" ? Number(each) : each)));
}

const answers = {
  reply(vector) {
    const { requestId, status, offset, total, chunk, text } = decodeReply(bytes(vector.packed));
    const wanted = [vector.request_id, vector.status, vector.offset, vector.total, vector.bytes, vector.text];
    return [[requestId, status, offset, total, hex(chunk), text], wanted];
  },
  recent(vector) {
    const found = decodeRecent(bytes(vector.packed));
    return [found, (vector.messages ?? []).map((each) => ({ id: each.id, header: fields(each) }))];
  },
  parts(vector) {
    return [decodeParts(bytes(vector.packed)).map(Object.values), vector.parts];
  },
  push(vector) {
    const { key, endpoint, state, reason } = vector;
    return [decodePush(bytes(vector.packed)), { key, endpoint, state, reason }];
  },
};

const checks = {
  headers(vector) {
    const header = decodeHeader(bytes(vector.packed));
    return [[header, flagNames(header)], [fields(vector), vector.flag_names]];
  },
  digests(vector) {
    const wanted = { live: vector.live, check: vector.check, newestId: vector.newest_id };
    return [[decodeDigest(bytes(vector.packed)), digestOf(vector.ids ?? [])], [wanted, wanted]];
  },
  ids(vector) {
    if (validId(vector.id) !== !("error" in vector)) return [validId(vector.id), "error" in vector];
    return [receivedMs(vector.id), vector.unix_ms];
  },
  topics(vector) {
    if (vector.kind === "name") {
      mailbox("mail", vector.value, "phone");
      return [validName(vector.value), true];
    }
    return [parseTopic(vector.root, vector.topic), { user: vector.user, what: vector.what, leaf: vector.leaf }];
  },
  replies: (vector) => answers[vector.kind](vector),
  requests: (vector) => [hex(encodeRequest(vector.request_id, vector.op, ...vector.arguments)), vector.packed],
  views: (vector) => [describe(vector.id, fields(vector)), vector.last],
};

function tryOne(file, vector, check) {
  count += 1;
  let found, wanted;
  try {
    [found, wanted] = check(vector);
  } catch (error) {
    if (!(error instanceof ContractError) || error.kind !== vector.error) {
      console.log(file, vector.name, "raised", String(error));
    }
    return;
  }
  if ("error" in vector) console.log(file, vector.name, "was not refused");
  else if (!isDeepStrictEqual(plain(found), plain(wanted))) {
    console.log(file, vector.name, "gave", JSON.stringify(plain(found)), "and not", JSON.stringify(wanted));
  }
}

for (const [file, check] of Object.entries(checks)) {
  for (const vector of JSON.parse(readFileSync(`${VECTORS}/${file}.json`, "utf8"))) {
    // requests that the bridge refuses, and those that a device never writes, are for the bridge alone
    if (file === "requests" && ("error" in vector || !(vector.canonical ?? true))) continue;
    tryOne(file, vector, check);
  }
}

const decoders = { header: decodeHeader, digest: decodeDigest, reply: decodeReply, recent: decodeRecent };
for (const [decoder, packed, verdict] of JUDGED ? JSON.parse(readFileSync(JUDGED, "utf8")) : []) {
  count += 1;
  let found = "read";
  try {
    decoders[decoder](bytes(packed));
  } catch (error) {
    found = error instanceof ContractError ? error.kind : String(error);
  }
  if (found !== verdict) console.log(decoder, packed.slice(0, 200), "is", found, "and not", verdict);
}
console.log(count);
