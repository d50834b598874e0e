// MQTT 5 and 3.1.1, as much of it as a device needs: packets to bytes and back. Every function is total over what a broker
// may send: it returns, or throws a PacketError, in time and memory linear in a packet, which is bounded itself.

const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const utf8 = new TextEncoder();

export const CONNACK = 2, PUBLISH = 3, PUBACK = 4, SUBACK = 9, PINGRESP = 13, DISCONNECT = 14;
/** A packet larger than this is not read: a reply has at most two MiB. */
export const LONGEST_PACKET = 4 * 2 ** 20;
/** For so long the broker is asked to keep what waits (MQTT 5 §3.1.2.11.2). */
export const SESSION_EXPIRY_S = 30 * 86400;
export const RETAINED_ALWAYS = 0, RETAINED_IF_NEW = 1;

const SERVER_KEEP_ALIVE = 0x13, REASON_STRING = 0x1f;
const ONE = [0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2a], TWO = [0x13, 0x21, 0x22, 0x23];
const FOUR = [0x02, 0x11, 0x18, 0x27], BYTES = [0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1a, 0x1c, 0x1f];

/** Bytes that are no MQTT, or not what a device may be sent. The connection is of no use any more. */
export class PacketError extends Error {
  constructor(message) {
    super(message);
    this.name = "PacketError";
  }
}

// --- what a device sends ------------------------------------------------------------------------------------------------

/** CONNECT with a persistent session; `version` is 5 or 4, which is 3.1.1 (§3.1). */
export function connect({ version, clientId, username, password, keepAliveS }) {
  const properties = version === 5 ? [5, 0x11, ...wide(SESSION_EXPIRY_S, 4)] : [];
  return packet(0x10, [
    ...string("MQTT"), version, 0xc0, ...wide(keepAliveS, 2), ...properties,
    ...string(clientId), ...string(username), ...string(password),
  ]);
}

/** SUBSCRIBE to filters, each `{ filter, qos, retained }`; the last counts in MQTT 5 alone (§3.8). */
export function subscribe(version, packetId, filters) {
  const body = [...wide(packetId, 2), ...(version === 5 ? [0] : [])];
  for (const { filter, qos, retained } of filters) {
    body.push(...string(filter), version === 5 ? qos | (retained << 4) : qos);
  }
  return packet(0x82, body);
}

/** PUBLISH with QoS 1, not retained (§3.3). */
export function publish(version, packetId, topic, payload) {
  return packet(0x32, [...string(topic), ...wide(packetId, 2), ...(version === 5 ? [0] : []), ...payload]);
}

/** PUBACK of success, which both versions write alike (§3.4). */
export function puback(packetId) {
  return packet(0x40, wide(packetId, 2));
}

export const PINGREQ = Uint8Array.of(0xc0, 0);
export const GOODBYE = Uint8Array.of(0xe0, 0);

function packet(first, body) {
  return Uint8Array.from([first, ...variable(body.length), ...body]);
}

function variable(number) {
  const octets = [];
  do {
    octets.push((number & 127) | (number > 127 ? 128 : 0));
    number >>>= 7;
  } while (number);
  return octets;
}

function wide(number, size) {
  return Array.from({ length: size }, (_, at) => (number >>> (8 * (size - 1 - at))) & 255);
}

function string(value) {
  const octets = utf8.encode(value);
  if (octets.length > 0xffff) throw new PacketError("a text is too long for MQTT");
  return [...wide(octets.length, 2), ...octets];
}

// --- what a broker sends ------------------------------------------------------------------------------------------------

/** Cuts a stream into packets, wherever its messages begin and end (§6 for WebSocket). */
export class PacketReader {
  #waiting = new Uint8Array();

  /** The packets that are complete now, as `{ type, flags, body }`. */
  *feed(bytes) {
    this.#waiting = this.#waiting.length ? joined(this.#waiting, bytes) : bytes;
    for (;;) {
      const head = remainingLength(this.#waiting);
      if (head === null || this.#waiting.length < head.start + head.length) return;
      const first = this.#waiting[0];
      const body = this.#waiting.subarray(head.start, head.start + head.length);
      this.#waiting = this.#waiting.subarray(head.start + head.length);
      yield { type: first >> 4, flags: first & 15, body };
    }
  }
}

function joined(one, other) {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

function remainingLength(bytes) {
  let length = 0;
  for (let at = 1; at < 5; at++) {
    if (at >= bytes.length) return null;
    length += (bytes[at] & 127) * 128 ** (at - 1);
    if (bytes[at] < 128) {
      if (length > LONGEST_PACKET) throw new PacketError("the packet is too large");
      return { start: at + 1, length };
    }
  }
  throw new PacketError("the length of a packet has more than four bytes");
}

/** A packet taken apart; those that no device is sent throw. */
export function decode({ type, flags, body }, version) {
  const from = new Body(body);
  switch (type) {
    case CONNACK: {
      const present = Boolean(from.number(1) & 1), code = from.number(1);
      return { type, present, code, ...from.properties(from.left ? version : 4) }; // what refuses MQTT 5 may not speak it
    }
    case PUBLISH: {
      const qos = (flags >> 1) & 3, topic = from.string();
      if (qos > 1) throw new PacketError("a message of a QoS that was not asked for");
      const packetId = qos ? from.number(2) : 0;
      from.properties(version);
      return { type, qos, retained: Boolean(flags & 1), topic, packetId, payload: from.rest() };
    }
    case PUBACK:
      return { type, packetId: from.number(2), code: from.left ? from.number(1) : 0 };
    case SUBACK: {
      const packetId = from.number(2);
      from.properties(version);
      return { type, packetId, codes: [...from.rest()] };
    }
    case PINGRESP:
      return { type };
    case DISCONNECT:
      if (version !== 5) break;
      return { type, code: from.left ? from.number(1) : 0, ...(from.left ? from.properties(version) : {}) };
  }
  throw new PacketError(`a packet of type ${type}, which no device is sent`);
}

class Body {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  get left() {
    return this.bytes.length - this.at;
  }

  take(size) {
    if (size > this.left) throw new PacketError("the packet is cut off");
    this.at += size;
    return this.bytes.subarray(this.at - size, this.at);
  }

  number(size) {
    return this.take(size).reduce((sum, octet) => sum * 256 + octet, 0);
  }

  string() {
    try {
      return text.decode(this.take(this.number(2)));
    } catch (error) {
      if (error instanceof TypeError) throw new PacketError("a text is not UTF-8");
      throw error;
    }
  }

  rest() {
    return this.take(this.left).slice();
  }

  /** What of the properties a device heeds; the others are passed over (MQTT 5 §2.2.2). */
  properties(version) {
    const heeded = { serverKeepAliveS: 0, reason: "" };
    if (version !== 5) return heeded;
    const size = this.variable(), end = this.at + size;
    if (size > this.left) throw new PacketError("the packet is cut off");
    while (this.at < end) {
      const name = this.variable();
      if (name === SERVER_KEEP_ALIVE) heeded.serverKeepAliveS = this.number(2);
      else if (name === REASON_STRING) heeded.reason = this.string();
      else this.pass(name);
    }
    if (this.at !== end) throw new PacketError("a property is cut off");
    return heeded;
  }

  pass(name) {
    if (ONE.includes(name)) this.take(1);
    else if (TWO.includes(name)) this.take(2);
    else if (FOUR.includes(name)) this.take(4);
    else if (BYTES.includes(name)) this.take(this.number(2));
    else if (name === 0x0b) this.variable();
    else if (name === 0x26) this.take(this.number(2)), this.take(this.number(2));
    else throw new PacketError("a property that MQTT does not know");
  }

  variable() {
    let value = 0;
    for (let place = 0; place < 4; place++) {
      const octet = this.number(1);
      value += (octet & 127) * 128 ** place;
      if (octet < 128) return value;
    }
    throw new PacketError("a number has more than four bytes");
  }
}
