// The box digest, by which a device proves that it has all (docs/protocol.md, "Box digest").

import { STATE_BYTES, elements, integer } from "./elements.js";
import { malformed } from "./errors.js";
import { validId } from "./ids.js";

const TABLE = Uint32Array.from({ length: 256 }, (_, octet) => {
  let value = octet;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** The CRC-32 of an id's ASCII bytes, as in zlib and Ethernet. */
export function crc32(id) {
  let value = 0xffffffff;
  for (let at = 0; at < id.length; at++) value = TABLE[(value ^ id.charCodeAt(at)) & 255] ^ (value >>> 8);
  return ~value >>> 0;
}

/** The digest of a box with exactly these ids: how many, the XOR of their CRC-32, the newest. */
export function digestOf(ids) {
  let live = 0, check = 0, newestId = "";
  for (const id of ids) {
    live += 1;
    check = (check ^ crc32(id)) >>> 0;
    if (id > newestId) newestId = id;
  }
  return { live, check, newestId };
}

/** The box digest in a payload; an empty box is `[1]`. */
export function decodeDigest(payload) {
  const values = elements(payload, STATE_BYTES);
  if (values.length === 1) return digestOf([]);
  if (values.length < 4) malformed("the digest is too short");
  const live = integer(values[1], "live"), check = integer(values[2], "check"), newestId = values[3];
  if (check >= 2 ** 32) malformed("check has more than 32 bits");
  if (!live) return digestOf([]);
  if (!validId(newestId)) malformed("newest_id is not a message id");
  return { live, check, newestId };
}
