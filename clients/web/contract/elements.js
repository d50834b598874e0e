// A payload taken apart, element by element (docs/protocol.md, "MessagePack").

import { ContractError, malformed } from "./errors.js";
import { unpack } from "./messagepack.js";

export const VERSION = 1;
/** A header or digest larger than this is not read. */
export const STATE_BYTES = 8192;
/** A reply larger than this is not read: a chunk is 8 KiB unless the operator chose otherwise. */
export const REPLY_BYTES = 2 * 2 ** 20;

const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/** The elements of a payload of this version. */
export function elements(payload, limit) {
  const values = unpack(payload, limit);
  checkVersion(values);
  return values;
}

/** Throw unless the first element is VERSION. */
export function checkVersion(values) {
  if (!values.length) malformed("the payload is an empty array");
  if (values[0] !== VERSION) throw new ContractError("version", "the payload is of another version of the contract");
}

/** An integer, a number or a BigInt, that is not below `lowest`. */
export function integer(value, name, lowest = 0) {
  if (!(Number.isInteger(value) || typeof value === "bigint") || value < lowest) {
    malformed(`${name} is not an integer in range`);
  }
  return value;
}

/** A text in one line; what a screen would obey is replaced by spaces. */
export function line(value, name) {
  if (typeof value !== "string") malformed(`${name} is not text`);
  return value.replace(UNPRINTABLE, " ");
}
