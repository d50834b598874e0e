// MessagePack, as much of it as the contract uses. Every function is total: it returns, or throws a ContractError, in time
// and memory linear in the payload, which is bounded itself.

import { malformed } from "./errors.js";

const DEEPEST = 500;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const toUtf8 = new TextEncoder();

/** What the contract does not use: a float, a map or an extension. It is passed over, and equals nothing. */
export const FOREIGN = Symbol("foreign");

/**
 * The array that is the whole of a payload of at most `limit` bytes.
 *
 * Integers are numbers, or BigInts where a number would not be exact; text is a string, binary a Uint8Array of its own.
 */
export function unpack(payload, limit) {
  if (payload.length > limit) malformed(`the payload is larger than ${limit} bytes`);
  const reader = new Reader(payload);
  const value = reader.item(0);
  if (reader.at !== payload.length) malformed("something follows the array");
  if (!Array.isArray(value)) malformed("the payload is not an array");
  return value;
}

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.at = 0;
  }

  item(depth) {
    const first = this.number(1);
    if (first < 0x80) return first;
    if (first >= 0xe0) return first - 256;
    if (first < 0x90) return this.map(first & 15, depth);
    if (first < 0xa0) return this.array(first & 15, depth);
    if (first < 0xc0) return this.text(first & 31);
    switch (first) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: case 0xc5: case 0xc6: return this.take(this.number(1 << (first - 0xc4))).slice();
      case 0xc7: case 0xc8: case 0xc9: return this.foreign(this.number(1 << (first - 0xc7)) + 1);
      case 0xca: return this.foreign(4);
      case 0xcb: return this.foreign(8);
      case 0xcc: case 0xcd: case 0xce: return this.number(1 << (first - 0xcc));
      case 0xcf: return exact(this.view.getBigUint64(this.step(8)));
      case 0xd0: return this.view.getInt8(this.step(1));
      case 0xd1: return this.view.getInt16(this.step(2));
      case 0xd2: return this.view.getInt32(this.step(4));
      case 0xd3: return exact(this.view.getBigInt64(this.step(8)));
      case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8: return this.foreign((1 << (first - 0xd4)) + 1);
      case 0xd9: case 0xda: case 0xdb: return this.text(this.number(1 << (first - 0xd9)));
      case 0xdc: case 0xdd: return this.array(this.number(2 << (first - 0xdc)), depth);
      case 0xde: case 0xdf: return this.map(this.number(2 << (first - 0xde)), depth);
      default: return malformed("no MessagePack begins so");
    }
  }

  /** Where the next `size` bytes begin, which are passed. */
  step(size) {
    const start = this.at;
    if (size > this.bytes.length - start) malformed("the payload is cut off");
    this.at += size;
    return start;
  }

  take(size) {
    const start = this.step(size);
    return this.bytes.subarray(start, start + size);
  }

  number(size) {
    const start = this.step(size);
    if (size === 1) return this.view.getUint8(start);
    return size === 2 ? this.view.getUint16(start) : this.view.getUint32(start);
  }

  text(size) {
    try {
      return utf8.decode(this.take(size));
    } catch (error) {
      if (error instanceof TypeError) malformed("text is not UTF-8");
      throw error;
    }
  }

  array(count, depth) {
    this.check(count, depth);
    const items = [];
    for (let left = count; left; left--) items.push(this.item(depth + 1));
    return items;
  }

  map(count, depth) {
    this.check(2 * count, depth);
    for (let left = 2 * count; left; left--) this.item(depth + 1);
    return FOREIGN;
  }

  foreign(size) {
    this.step(size);
    return FOREIGN;
  }

  /** Each item has at least one byte, and what is deeper than anybody writes is not followed. */
  check(count, depth) {
    if (count > this.bytes.length - this.at) malformed("the payload is cut off");
    if (depth >= DEEPEST) malformed("the payload is nested too deep");
  }
}

function exact(big) {
  const number = Number(big);
  return Number.isSafeInteger(number) ? number : big;
}

/** An array of unsigned integers and strings, each as short as it can be. */
export function pack(values) {
  const bytes = [];
  head(bytes, values.length, 0x90, 16, [null, 0xdc, 0xdd]);
  for (const value of values) {
    if (typeof value === "string") {
      const text = toUtf8.encode(value);
      head(bytes, text.length, 0xa0, 32, [0xd9, 0xda, 0xdb]);
      for (const octet of text) bytes.push(octet);
    } else if (Number.isSafeInteger(value) && value >= 0) {
      if (value > 0xffffffff) {
        bytes.push(0xcf);
        wide(bytes, Math.floor(value / 0x100000000), 4);
        wide(bytes, value % 0x100000000, 4);
      } else {
        head(bytes, value, 0, 128, [0xcc, 0xcd, 0xce]);
      }
    } else {
      throw new TypeError("only text and unsigned integers are written");
    }
  }
  return Uint8Array.from(bytes);
}

function head(bytes, number, fixed, below, [one, two, four]) {
  if (number < below) {
    bytes.push(fixed | number);
  } else if (number < 0x100 && one !== null) {
    bytes.push(one, number);
  } else if (number < 0x10000) {
    bytes.push(two);
    wide(bytes, number, 2);
  } else {
    bytes.push(four);
    wide(bytes, number, 4);
  }
}

function wide(bytes, number, size) {
  for (let shift = 8 * (size - 1); shift >= 0; shift -= 8) bytes.push((number >>> shift) & 255);
}
