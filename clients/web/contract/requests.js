// What a device asks, and what it is answered (docs/protocol.md, "Requests" and "Replies").

import { REPLY_BYTES, VERSION, elements, integer, line } from "./elements.js";
import { ContractError, malformed } from "./errors.js";
import { headerOf } from "./header.js";
import { validId } from "./ids.js";
import { pack, unpack } from "./messagepack.js";

/** A request; `requestId` is an unsigned integer below 2^32 that the device chooses. */
export function encodeRequest(requestId, operation, ...args) {
  return pack([VERSION, requestId, operation, ...args]);
}

/** The reply in a payload: of success (status 0) with its chunk, or of failure with a line of text. */
export function decodeReply(payload) {
  const values = elements(payload, REPLY_BYTES);
  if (values.length < 6) malformed("the reply is too short");
  const reply = {
    requestId: integer(values[1], "request_id"),
    status: integer(values[2], "status"),
    offset: integer(values[3], "offset"),
    total: integer(values[4], "total"),
    chunk: new Uint8Array(),
    text: "",
  };
  if (reply.status) return { ...reply, text: line(values[5], "text") };
  if (!(values[5] instanceof Uint8Array)) malformed("a reply of success carries bytes");
  if (BigInt(reply.offset) + BigInt(values[5].length) > BigInt(reply.total)) {
    malformed("the chunk reaches beyond the total");
  }
  return { ...reply, chunk: values[5] };
}

/** Whether the same request may succeed after a while: too many requests, temporary failure. */
export function tryLater(reply) {
  return reply.status === 5 || reply.status === 6;
}

/** The whole answer to `recent`: ids with headers, newest first; headers of another version are left out. */
export function decodeRecent(answer) {
  const mails = [];
  for (const entry of unpack(answer, REPLY_BYTES)) {
    if (!Array.isArray(entry) || !validId(entry[0]) || !Array.isArray(entry[1])) malformed("not an id with its header");
    try {
      mails.push({ id: entry[0], header: headerOf(entry[1]) });
    } catch (error) {
      if (!(error instanceof ContractError) || error.kind !== "version") throw error;
    }
  }
  return mails;
}

/** The whole answer to `parts`. */
export function decodeParts(answer) {
  return unpack(answer, REPLY_BYTES).map((entry) => {
    if (!Array.isArray(entry) || entry.length < 4) malformed("not a part");
    return {
      index: integer(entry[0], "index"),
      contentType: line(entry[1], "content_type"),
      fileName: line(entry[2], "file_name"),
      size: integer(entry[3], "size"),
    };
  });
}

/** The whole answer to `push`: the bridge's key, where the device is rung, if it is, and how that goes. */
export function decodePush(answer) {
  const values = unpack(answer, REPLY_BYTES);
  if (values.length < 4) malformed("the answer to push is too short");
  const [key, endpoint, state, reason] = values;
  return {
    key: line(key, "key"),
    endpoint: line(endpoint, "endpoint"),
    state: line(state, "state"),
    reason: line(reason, "reason"),
  };
}
