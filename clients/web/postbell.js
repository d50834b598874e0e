// The modules of this folder in one, without their comments: change them, and `make map` writes this.
const $contract_errors = (() => {
class ContractError extends Error {
  constructor(kind, message) {
    super(message);
    this.name = "ContractError";
    this.kind = kind;
  }
}

function malformed(message) {
  throw new ContractError("malformed", message);
}
return { ContractError, malformed };
})();
const $contract_ids = (() => {
const { malformed } = $contract_errors;

const DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";
const ID = new RegExp(`^[${DIGITS}]{9}$`);
const EPOCH_MS = Date.UTC(2025, 0, 1);

function validId(text) {
  return typeof text === "string" && ID.test(text);
}

function receivedMs(id) {
  if (!validId(id)) malformed("not a message id");
  let number = 0;
  for (const digit of id) number = number * 32 + DIGITS.indexOf(digit);
  return EPOCH_MS + number;
}
return { validId, receivedMs };
})();
const $contract_topics = (() => {
const { malformed } = $contract_errors;
const { validId } = $contract_ids;

const NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/;
const VIEWS = new Set(["box", "last", "text", "unread", "event"]);

function validName(name) {
  return NAME.test(name);
}

function parseTopic(root, topic) {
  if (!topic.startsWith(`${root}/`)) malformed("the topic is not below the root");
  const levels = topic.slice(root.length + 1).split("/");
  const [user, what, leaf = ""] = levels;
  if (validName(user)) {
    if (levels.length === 2 && VIEWS.has(what)) return { user, what, leaf };
    if (levels.length === 3 && what === "msg" && validId(leaf)) return { user, what, leaf };
    if (levels.length === 3 && (what === "do" || what === "re") && validName(leaf)) return { user, what, leaf };
  }
  return malformed("the contract knows no such topic");
}

function mailbox(root, user, device) {
  if (!validName(user) || !validName(device)) malformed("not a user and a device");
  const base = `${root}/${user}`;
  return {
    headers: `${base}/msg/+`,
    box: `${base}/box`,
    requests: `${base}/do/${device}`,
    replies: `${base}/re/${device}`,
    username: `${user}.${device}`,
  };
}
return { validName, parseTopic, mailbox };
})();
const $pairing = (() => {
const { validName } = $contract_topics;

const ROOT = /^[^#+/\0]+(\/[^#+/\0]+)*$/;

function loginIn(link) {
  const found = /[#&]pair=([A-Za-z0-9_-]+)=*$/.exec(link.trim());
  if (!found) return null;
  try {
    const octets = Uint8Array.from(atob(found[1].replace(/-/g, "+").replace(/_/g, "/")), (each) => each.charCodeAt(0));
    const { u: user, d: device, p: password, r: root = "mail" } = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(octets));
    if (![user, device, password, root].every((each) => typeof each === "string")) return null;
    if (!validName(user) || !validName(device) || !password || !ROOT.test(root)) return null;
    return { user, device, password, root };
  } catch {
    return null;
  }
}

function takeLink(location, history) {
  const link = location.hash;
  if (!/[#&]pair=/.test(link)) return "";
  history.replaceState(null, "", location.pathname + location.search);
  return link;
}

function sameDevice(one, other) {
  return ["user", "device", "root"].every((each) => one?.[each] === other?.[each]);
}
return { loginIn, takeLink, sameDevice };
})();
const $arrival = (() => {
const { takeLink } = $pairing;

const link = takeLink(location, history);
return { link };
})();
const $contract_messagepack = (() => {
const { malformed } = $contract_errors;

const DEEPEST = 500;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const toUtf8 = new TextEncoder();

const FOREIGN = Symbol("foreign");

function unpack(payload, limit) {
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

  check(count, depth) {
    if (count > this.bytes.length - this.at) malformed("the payload is cut off");
    if (depth >= DEEPEST) malformed("the payload is nested too deep");
  }
}

function exact(big) {
  const number = Number(big);
  return Number.isSafeInteger(number) ? number : big;
}

function pack(values) {
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
return { FOREIGN, unpack, pack };
})();
const $contract_elements = (() => {
const { ContractError, malformed } = $contract_errors;
const { unpack } = $contract_messagepack;

const VERSION = 1;
const STATE_BYTES = 8192;
const REPLY_BYTES = 2 * 2 ** 20;

const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

function elements(payload, limit) {
  const values = unpack(payload, limit);
  checkVersion(values);
  return values;
}

function checkVersion(values) {
  if (!values.length) malformed("the payload is an empty array");
  if (values[0] !== VERSION) throw new ContractError("version", "the payload is of another version of the contract");
}

function integer(value, name, lowest = 0) {
  if (!(Number.isInteger(value) || typeof value === "bigint") || value < lowest) {
    malformed(`${name} is not an integer in range`);
  }
  return value;
}

function line(value, name) {
  if (typeof value !== "string") malformed(`${name} is not text`);
  return value.replace(UNPRINTABLE, " ");
}
return { VERSION, STATE_BYTES, REPLY_BYTES, elements, checkVersion, integer, line };
})();
const $contract_header = (() => {
const { STATE_BYTES, checkVersion, elements, integer, line } = $contract_elements;
const { receivedMs } = $contract_ids;

const FLAG_NAMES = [
  "attachment", "urgent", "low_priority", "bulk", "automatic", "encrypted",
  "signed", "invitation", "bounce", "suspicious", "authenticated", "silent",
];
const DEFAULTS = [1, 0, "", "", "", "", 0, "", null];
const FIRST_S = -62135596800; // the years 1 to 9999: what no other calendar has reads as absent
const BEHIND_LAST_S = 253402300800;

function decodeHeader(payload) {
  return headerOf(elements(payload, STATE_BYTES));
}

function headerOf(given) {
  checkVersion(given);
  const values = [...given, ...DEFAULTS.slice(given.length)];
  const date = values[8] === null ? null : integer(values[8], "date", -Infinity);
  return {
    flags: integer(values[1], "flags"),
    fromName: line(values[2], "from_name"),
    fromAddress: line(values[3], "from_address"),
    subject: line(values[4], "subject"),
    snippet: line(values[5], "snippet"),
    size: integer(values[6], "size"),
    detail: line(values[7], "detail"),
    date: date !== null && date >= FIRST_S && date < BEHIND_LAST_S ? date : null,
  };
}

function flagNames(header) {
  const flags = BigInt(header.flags);
  return FLAG_NAMES.filter((_, bit) => (flags >> BigInt(bit)) & 1n);
}

function isSilent(header) {
  return flagNames(header).includes("silent");
}

function describe(id, header) {
  return {
    id,
    received: rfc3339(receivedMs(id)),
    from_name: header.fromName,
    from_address: header.fromAddress,
    subject: header.subject,
    snippet: header.snippet,
    size: header.size,
    flags: flagNames(header),
    detail: header.detail,
    date: header.date === null ? null : rfc3339(header.date * 1000).replace(".000Z", "Z"),
  };
}

function rfc3339(unixMs) {
  return new Date(unixMs).toISOString();
}
return { FLAG_NAMES, decodeHeader, headerOf, flagNames, isSilent, describe };
})();
const $contract_requests = (() => {
const { REPLY_BYTES, VERSION, elements, integer, line } = $contract_elements;
const { ContractError, malformed } = $contract_errors;
const { headerOf } = $contract_header;
const { validId } = $contract_ids;
const { pack, unpack } = $contract_messagepack;

function encodeRequest(requestId, operation, ...args) {
  return pack([VERSION, requestId, operation, ...args]);
}

function decodeReply(payload) {
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

function tryLater(reply) {
  return reply.status === 5 || reply.status === 6;
}

function decodeRecent(answer) {
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

function decodeParts(answer) {
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

function decodePush(answer) {
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
return { encodeRequest, decodeReply, tryLater, decodeRecent, decodeParts, decodePush };
})();
const $push = (() => {
const { decodePush } = $contract_requests;

const SUBSCRIBE_MS = 20_000;

class Push {
  constructor({ ask, manager, timers }) {
    Object.assign(this, { ask, manager, timers });
  }

  async report() {
    return decodePush(await this.ask("push"));
  }

  async renew() {
    if (!this.manager) throw new Error("this browser has no Web Push");
    const { key, state } = await this.report();
    if (!key) throw new Error("the mail server has Web Push switched off");
    let subscription = await this.manager.getSubscription();
    if (subscription && (state === "forgotten" || !madeFor(subscription, key))) {
      await subscription.unsubscribe();
      subscription = null;
    }
    subscription ??= await this.#subscribe(key);
    const { endpoint, keys } = subscription.toJSON();
    await this.ask("push", [endpoint, keys.p256dh, keys.auth]);
    return this.report();
  }

  async end() {
    const subscription = await this.manager?.getSubscription();
    await subscription?.unsubscribe();
    await this.ask("push", [""]);
  }

  #subscribe(key) {
    return new Promise((resolve, reject) => {
      const timer = this.timers.set(
        () => reject(new Error("this browser's push service does not answer; try again later")), SUBSCRIBE_MS);
      this.manager.subscribe({ userVisibleOnly: true, applicationServerKey: octets(key) })
        .then(resolve, reject)
        .finally(() => this.timers.clear(timer));
    });
  }
}

function octets(base64url) {
  return Uint8Array.from(atob(base64url.replace(/-/g, "+").replace(/_/g, "/")), (each) => each.charCodeAt(0));
}

function madeFor(subscription, key) {
  const made = subscription.options?.applicationServerKey;
  if (!made) return true;
  const one = new Uint8Array(made), other = octets(key);
  return one.length === other.length && one.every((octet, at) => octet === other[at]);
}
return { SUBSCRIBE_MS, Push };
})();
const $view_words = (() => {
const { flagNames } = $contract_header;
const { receivedMs } = $contract_ids;

const DAY_MS = 86_400_000;
const time = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const DIRECTIONS = /[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

function sender({ fromName, fromAddress }) {
  return fromName.trim() || fromAddress.trim() || "(unknown sender)";
}

function initial(header) {
  return (/[\p{L}\p{N}]/u.exec(sender(header))?.[0] ?? "?").toLocaleUpperCase();
}

function subject(header) {
  return header.subject.trim() || "(no subject)";
}

function dayOf(id, nowMs) {
  const days = Math.round((midnight(nowMs) - midnight(receivedMs(id))) / DAY_MS);
  if (days <= 1 && days >= 0) return capital(relative.format(-days, "day"));
  if (days > 0 && days < 7) return weekday.format(receivedMs(id));
  return day.format(receivedMs(id));
}

function timeOf(id) {
  return time.format(receivedMs(id));
}

function momentOf(unixMs) {
  return whole.format(unixMs);
}

function size(bytes) {
  const units = ["B", "kB", "MB", "GB"];
  let value = Number(bytes), unit = 0;
  while (value >= 1000 && unit < 3) {
    value /= 1000;
    unit += 1;
  }
  return `${value >= 10 || !unit ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

function fileName(part) {
  const name = part.fileName.replace(DIRECTIONS, "").replace(/[/\\:*?"<>|]/g, "_").replace(/^\.+/, "").trim();
  return name.slice(0, 120) || `part-${part.index}`;
}

function hue({ fromAddress, fromName }) {
  let sum = 0;
  for (const each of fromAddress || fromName) sum = Math.imul(sum ^ each.codePointAt(0), 0x01000193) >>> 0;
  return (sum >>> 7) % 8;
}

const TOLD = {
  attachment: ["clip", "with an attachment"], encrypted: ["lock", "encrypted"], invitation: ["date", "an invitation"],
  bounce: ["warning", "could not be delivered"], suspicious: ["warning", "suspicious"], urgent: ["warning", "urgent"],
};

function told(header) {
  return flagNames(header).filter((name) => name in TOLD).map((name) => [name, ...TOLD[name]]);
}

function midnight(unixMs) {
  return new Date(unixMs).setHours(0, 0, 0, 0);
}

function capital(words) {
  return words.charAt(0).toLocaleUpperCase() + words.slice(1);
}
return { sender, initial, subject, dayOf, timeOf, momentOf, size, fileName, hue, told };
})();
const $bell = (() => {
const { isSilent } = $contract_header;
const { receivedMs } = $contract_ids;
const { Push } = $push;
const { sender, subject } = $view_words;

const RINGS_MS = 3_600_000;
const RING_EACH = 3;

class Bell {
  #store;
  #ask;
  #worker;
  #timers;
  report;

  constructor({ store, ask, worker, timers }) {
    this.#store = store;
    this.#ask = ask;
    this.#worker = worker;
    this.#timers = timers;
  }

  came(mails) {
    if (globalThis.Notification?.permission !== "granted") return;
    const ring = mails.filter(({ id, header }) => !isSilent(header) && Date.now() - receivedMs(id) < RINGS_MS);
    const each = ring.length <= RING_EACH ? ring : ring.slice(-1);
    for (const { id, header } of each) {
      const title = ring.length === each.length ? sender(header) : `${ring.length} new mails`;
      const body = ring.length === each.length ? subject(header) : `The newest is from ${sender(header)}: ${subject(header)}`;
      this.#worker.post({ kind: "ring", notification: { title, body, tag: id, navigate: `./#mail=${id}` } });
    }
  }

  gone(ids) {
    this.#worker.post({ kind: "gone", ids });
  }

  async look() {
    this.report = await this.#push.report().catch((error) => error);
  }

  async allow() {
    if ((await Notification.requestPermission()) !== "granted") return "The browser does not allow it.";
    await this.#store.setFact("rings", true);
    void navigator.storage?.persist?.(); // some browsers ask for it, too
    this.report = await this.#push.renew();
    return "From now on it rings, also while this page is closed.";
  }

  async test() {
    await this.#worker.registration.showNotification("Postbell rings", {
      body: "If you see this and hear nothing, look at the sound of the browser and of the phone.", tag: "test", icon: "icon-192.png", badge: "badge.png",
    });
    return "A notification was shown. If you did not see one, the system hides those of this browser: look at its settings.";
  }

  async silence() {
    await this.#store.setFact("rings", false);
    await this.#push.end();
    this.report = await this.#push.report();
    return "It does not ring while this page is closed.";
  }

  async renew() {
    await this.#worker.ready;
    if (!(await this.#store.fact("rings")) || globalThis.Notification?.permission !== "granted") return;
    const renewed = () => this.#push.renew();
    const locks = navigator.locks;
    this.report = await (locks ? locks.request("postbell-push", renewed) : renewed()).catch((error) => error);
  }

  get #push() {
    return new Push({ manager: this.#worker.registration?.pushManager ?? null, timers: this.#timers, ask: (operation, args = []) => this.#ask(operation, args) });
  }
}
return { Bell };
})();
const $contract_digest = (() => {
const { STATE_BYTES, elements, integer } = $contract_elements;
const { malformed } = $contract_errors;
const { validId } = $contract_ids;

const TABLE = Uint32Array.from({ length: 256 }, (_, octet) => {
  let value = octet;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(id) {
  let value = 0xffffffff;
  for (let at = 0; at < id.length; at++) value = TABLE[(value ^ id.charCodeAt(at)) & 255] ^ (value >>> 8);
  return ~value >>> 0;
}

function digestOf(ids) {
  let live = 0, check = 0, newestId = "";
  for (const id of ids) {
    live += 1;
    check = (check ^ crc32(id)) >>> 0;
    if (id > newestId) newestId = id;
  }
  return { live, check, newestId };
}

function decodeDigest(payload) {
  const values = elements(payload, STATE_BYTES);
  if (values.length === 1) return digestOf([]);
  if (values.length < 4) malformed("the digest is too short");
  const live = integer(values[1], "live"), check = integer(values[2], "check"), newestId = values[3];
  if (check >= 2 ** 32) malformed("check has more than 32 bits");
  if (!live) return digestOf([]);
  if (!validId(newestId)) malformed("newest_id is not a message id");
  return { live, check, newestId };
}
return { crc32, digestOf, decodeDigest };
})();
const $backoff = (() => {
class Backoff {
  #tries = 0;

  constructor({ jitter = Math.random, firstMs = 250, longestMs = 30_000 } = {}) {
    Object.assign(this, { jitter, firstMs, longestMs });
  }

  get tries() {
    return this.#tries;
  }

  nextMs() {
    const wait = Math.min(this.longestMs, this.firstMs * 2 ** Math.min(this.#tries, 32));
    this.#tries += 1;
    return wait * (0.5 + this.jitter() / 2);
  }

  reset() {
    this.#tries = 0;
  }
}
return { Backoff };
})();
const $mqtt_inflow = (() => {
class Inflow {
  #received;
  #acknowledge;
  #failed;
  #connection = null;
  #waiting = [];
  #busy = false;

  constructor({ received, acknowledge, failed }) {
    this.#received = received;
    this.#acknowledge = acknowledge;
    this.#failed = failed;
  }

  over(connection) {
    this.#connection = connection;
    this.#waiting = [];
  }

  add(message) {
    this.#waiting.push(message);
    void this.#drain(this.#connection);
  }

  async #drain(connection) {
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#waiting.length) {
        const messages = this.#waiting.splice(0);
        await this.#received(messages);
        if (connection !== this.#connection) break;
        for (const { qos, packetId } of messages) if (qos) this.#acknowledge(packetId);
      }
    } catch (error) {
      if (connection === this.#connection) this.#failed(error);
    } finally {
      this.#busy = false;
      if (this.#connection && this.#connection !== connection && this.#waiting.length) void this.#drain(this.#connection);
    }
  }
}
return { Inflow };
})();
const $mqtt_reasons = (() => {
const IN_WORDS = new Map([
  [0x80, "unspecified error"], [0x81, "malformed packet"], [0x82, "protocol error"], [0x84, "unsupported version"],
  [0x86, "wrong password"], [0x87, "not authorized"], [0x88, "the broker is unavailable"], [0x89, "the broker is busy"],
  [0x8b, "the broker is shutting down"], [0x8d, "a ping was late"], [0x8e, "another program uses this login"],
  [0x93, "too much at once"], [0x95, "a packet was too large"], [0x97, "the quota is used up"],
  [0x98, "by an administrator"], [0x9f, "too many connections"],
]);
const OLDER = new Map([[1, 0x84], [2, 0x85], [3, 0x88], [4, 0x86], [5, 0x87]]);

const UNSUPPORTED_VERSION = 0x84, TAKEN_OVER = 0x8e, KEEP_ALIVE_TIMEOUT = 0x8d;

function reasonOf(code) {
  return OLDER.get(code) ?? code;
}

function refusesLogin(reason) {
  return reason === 0x86 || reason === 0x87;
}

function inWords(reason, said = "") {
  const known = IN_WORDS.get(reason) ?? `reason 0x${reason.toString(16)}`;
  return said ? `${known} (${said})` : known;
}
return { UNSUPPORTED_VERSION, TAKEN_OVER, KEEP_ALIVE_TIMEOUT, reasonOf, refusesLogin, inWords };
})();
const $mqtt_lessons = (() => {
const { KEEP_ALIVE_TIMEOUT, TAKEN_OVER, UNSUPPORTED_VERSION, inWords, refusesLogin } = $mqtt_reasons;

const STABLE_MS = 20_000;
const TAKEOVERS = 3, TAKEOVER_MS = 600_000; // so often in a row, each so soon: another program wants this login for good
const REFUSALS = 5; // a login that worked before may be refused so often: the broker may just be starting

class Lessons {
  #older = false;
  #answered = false;
  #everAccepted = false;
  #refusals = 0;
  #takeovers = 0;
  #enteredAt = 0;
  version = 5;

  begun() {
    this.#answered = false;
  }

  accepted(now) {
    this.#answered = this.#everAccepted = true;
    this.#refusals = 0;
    this.#enteredAt = now;
  }

  refused(reason, said) {
    this.#answered = true;
    if (reason === UNSUPPORTED_VERSION && this.version === 5) {
      this.#older = true;
      this.version = 4;
      return { reason: "", atOnce: true };
    }
    if (!refusesLogin(reason)) return { reason: `the server refused the connection: ${inWords(reason, said)}` };
    this.#refusals += 1;
    if (this.#everAccepted && this.#refusals < REFUSALS) return { reason: "the server refused the login" };
    return { name: "refused", reason: "the server refuses this device: it was revoked, or its password was changed" };
  }

  sentAway(reason, said, now) {
    const soon = now - this.#enteredAt <= TAKEOVER_MS;
    this.#takeovers = reason === TAKEN_OVER ? (soon ? this.#takeovers : 0) + 1 : 0;
    if (this.#takeovers >= TAKEOVERS) {
      return { name: "taken", reason: "another program uses this device's login: pair each with a device of its own" };
    }
    return { reason: `the server ended the connection: ${inWords(reason, said)}`, atOnce: reason === KEEP_ALIVE_TIMEOUT };
  }

  lost(name, now) {
    if (!this.#older && this.#answered) this.version = 5;
    else if (!this.#older && name === "connecting") this.version = this.version === 5 ? 4 : 5;
    return name === "online" && now - this.#enteredAt >= STABLE_MS;
  }
}
return { STABLE_MS, Lessons };
})();
const $mqtt_packets = (() => {
const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const utf8 = new TextEncoder();

const CONNACK = 2, PUBLISH = 3, PUBACK = 4, SUBACK = 9, PINGRESP = 13, DISCONNECT = 14;
const LONGEST_PACKET = 4 * 2 ** 20;
const SESSION_EXPIRY_S = 30 * 86400;
const RETAINED_ALWAYS = 0, RETAINED_IF_NEW = 1;

const SERVER_KEEP_ALIVE = 0x13, REASON_STRING = 0x1f;
const ONE = [0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2a], TWO = [0x13, 0x21, 0x22, 0x23];
const FOUR = [0x02, 0x11, 0x18, 0x27], BYTES = [0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1a, 0x1c, 0x1f];

class PacketError extends Error {
  constructor(message) {
    super(message);
    this.name = "PacketError";
  }
}


function connect({ version, clientId, username, password, keepAliveS }) {
  const properties = version === 5 ? [5, 0x11, ...wide(SESSION_EXPIRY_S, 4)] : [];
  return packet(0x10, [
    ...string("MQTT"), version, 0xc0, ...wide(keepAliveS, 2), ...properties,
    ...string(clientId), ...string(username), ...string(password),
  ]);
}

function subscribe(version, packetId, filters) {
  const body = [...wide(packetId, 2), ...(version === 5 ? [0] : [])];
  for (const { filter, qos, retained } of filters) {
    body.push(...string(filter), version === 5 ? qos | (retained << 4) : qos);
  }
  return packet(0x82, body);
}

function publish(version, packetId, topic, payload) {
  return packet(0x32, [...string(topic), ...wide(packetId, 2), ...(version === 5 ? [0] : []), ...payload]);
}

function puback(packetId) {
  return packet(0x40, wide(packetId, 2));
}

const PINGREQ = Uint8Array.of(0xc0, 0);
const GOODBYE = Uint8Array.of(0xe0, 0);

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


class PacketReader {
  #waiting = new Uint8Array();

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

function decode({ type, flags, body }, version) {
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
return { CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP, DISCONNECT, LONGEST_PACKET, SESSION_EXPIRY_S, RETAINED_ALWAYS, RETAINED_IF_NEW, PacketError, connect, subscribe, publish, puback, PINGREQ, GOODBYE, PacketReader, decode };
})();
const $mqtt_connection = (() => {
const { Backoff } = $backoff;
const { Inflow } = $mqtt_inflow;
const { Lessons } = $mqtt_lessons;
const {
  CONNACK, DISCONNECT, GOODBYE, PINGREQ, PINGRESP, PUBLISH, PacketReader, RETAINED_ALWAYS, RETAINED_IF_NEW, SUBACK,
  connect, decode, puback, publish, subscribe,
} = $mqtt_packets;
const { reasonOf } = $mqtt_reasons;

const KEEP_ALIVE_S = 300;
const PING_MS = 45_000;
const ANSWER_MS = 10_000;

class Connection {
  #socket = null;
  #reader;
  #lessons = new Lessons();
  #packetId = 0;
  #subscribing = 0;
  #inflow = new Inflow({
    received: (messages) => this.listener.received(messages),
    acknowledge: (packetId) => this.#send(puback(packetId)),
    failed: (error) => this.drop(`mail could not be stored: ${error.message}`),
  });
  #pinging = false;
  #reason = "";
  #atOnce = false;
  #timers = { retry: null, answer: null, ping: null };
  state = { name: "closed", reason: "", retryMs: 0 };

  constructor({ url, login, filters, open, timers, listener, jitter = Math.random }) {
    Object.assign(this, { url, login, filters, open, timers, listener });
    this.backoff = new Backoff({ jitter });
    this.key = [url, login.username, ...filters.map((each) => each.filter)].join(" ");
  }

  get up() {
    return this.state.name === "online";
  }

  connect() {
    if (this.#socket) return;
    this.#clear("retry");
    this.#reason = "";
    this.#atOnce = false;
    this.#lessons.begun();
    this.#reader = new PacketReader();
    this.#become("connecting");
    const socket = this.open(this.url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#inflow.over(socket);
    const mine = (handle) => (event) => socket === this.#socket && handle(event);
    socket.onopen = mine(() => this.#dialled());
    socket.onmessage = mine((event) => this.#came(new Uint8Array(event.data)));
    socket.onclose = mine(() => this.#lost());
    socket.onerror = () => {};
    this.#arm("answer", ANSWER_MS, () => this.drop("the server does not answer"));
  }

  close() {
    if (this.up) this.#send(GOODBYE);
    this.#release();
    this.#clear("retry");
    this.#become("closed");
  }

  drop(reason, { atOnce = false } = {}) {
    if (!this.#socket) return;
    this.#reason = reason;
    this.#atOnce = atOnce;
    this.#lost();
  }

  wake() {
    if (this.up) this.ping();
    else if (this.state.name === "waiting") this.connect();
  }

  ping() {
    if (!this.up || this.#pinging) return;
    this.#pinging = true;
    this.#send(PINGREQ);
    this.#arm("answer", ANSWER_MS, () => this.drop("the server does not answer", { atOnce: true }));
  }

  publish(topic, payload) {
    if (this.up) this.#send(publish(this.#lessons.version, this.#nextPacketId(), topic, payload));
    return this.up;
  }

  heal() {
    if (this.up) this.#subscribe(this.filters, RETAINED_ALWAYS);
  }


  #dialled() {
    const { username, password } = this.login;
    const clientId = username.replace(".", ":"); // NATS refuses a dot in it
    this.#send(connect({ version: this.#lessons.version, clientId, username, password, keepAliveS: KEEP_ALIVE_S }));
  }

  #came(bytes) {
    try {
      for (const raw of this.#reader.feed(bytes)) {
        this.#handle(decode(raw, this.#lessons.version));
        if (!this.#socket) return;
      }
    } catch (error) {
      if (error.name !== "PacketError") throw error;
      this.drop(`the server does not speak MQTT: ${error.message}`);
    }
  }

  #handle(packet) {
    switch (packet.type) {
      case CONNACK:
        return this.#answer(packet);
      case PUBLISH:
        this.backoff.reset(); // a link that carries mail is worth coming back to soon
        return this.#inflow.add(packet);
      case SUBACK:
        return this.#subscribed(packet);
      case PINGRESP:
        this.#pinging = false;
        this.#clear("answer");
        return this.listener.pulse();
      case DISCONNECT:
        return this.#conclude(this.#lessons.sentAway(reasonOf(packet.code), packet.reason, this.timers.now()));
    }
  }

  #answer({ present, code, serverKeepAliveS, reason }) {
    this.#clear("answer");
    if (code) return this.#conclude(this.#lessons.refused(reasonOf(code), reason));
    this.#lessons.accepted(this.timers.now());
    this.#become("online");
    this.#pulse(serverKeepAliveS ? Math.min(PING_MS, serverKeepAliveS * 1000) : PING_MS);
    this.#enter(present, this.#socket);
  }

  async #enter(present, socket) {
    const confirmed = this.listener.entered();
    const known = present && confirmed === this.key;
    if (!known && confirmed) {
      await this.listener.voided().catch((error) => this.drop(`nothing can be stored: ${error.message}`));
    }
    if (socket !== this.#socket) return;
    if (this.#lessons.version === 5 && known) this.#subscribe(this.filters, RETAINED_IF_NEW);
    else if (known) this.#subscribe(this.filters.filter((each) => !each.once), RETAINED_ALWAYS);
    else this.#subscribe(this.filters, RETAINED_ALWAYS);
  }

  #subscribe(filters, retained) {
    const all = filters.some((each) => each.once) && retained === RETAINED_ALWAYS;
    if (all) this.listener.subscribing();
    this.#subscribing = this.#nextPacketId();
    this.#send(subscribe(this.#lessons.version, this.#subscribing, filters.map(({ filter, qos, once }) => (
      { filter, qos, retained: once ? retained : RETAINED_ALWAYS }))));
  }

  #subscribed({ packetId, codes }) {
    if (codes.some((code, at) => code >= 0x80 && !this.filters[at]?.optional)) {
      this.#conclude({ name: "refused", reason: "the server does not let this device read its own mail" });
    } else if (packetId === this.#subscribing && codes.length === this.filters.length) {
      this.listener.confirmed(this.key);
    }
  }


  #conclude({ name, reason, atOnce }) {
    if (!name) return this.drop(reason, { atOnce });
    this.#release();
    this.#become(name, reason);
  }

  #lost() {
    if (this.#lessons.lost(this.state.name, this.timers.now())) this.backoff.reset();
    const reason = this.#reason || (this.up ? "the connection was lost" : "the server cannot be reached");
    this.#release();
    const retryMs = this.#atOnce ? 0 : this.backoff.nextMs();
    this.#become("waiting", reason, retryMs);
    this.#arm("retry", retryMs, () => this.connect());
  }

  #release() {
    const socket = this.#socket;
    this.#socket = null;
    this.#inflow.over(null);
    this.#pinging = false;
    this.#clear("answer");
    this.#clear("ping");
    socket?.close();
  }

  #become(name, reason = "", retryMs = 0) {
    this.state = { name, reason, retryMs };
    this.listener.state(this.state);
  }

  #send(bytes) {
    this.#socket?.send(bytes);
  }

  #nextPacketId() {
    this.#packetId = (this.#packetId % 0xffff) + 1;
    return this.#packetId;
  }

  #pulse(everyMs) {
    this.#arm("ping", everyMs, () => {
      this.ping();
      this.#pulse(everyMs);
    });
  }

  #arm(name, ms, run) {
    this.#clear(name);
    this.#timers[name] = this.timers.set(run, ms);
  }

  #clear(name) {
    this.timers.clear(this.#timers[name]);
    this.#timers[name] = null;
  }
}
return { KEEP_ALIVE_S, PING_MS, ANSWER_MS, Connection };
})();
const $box_download = (() => {
const { Backoff } = $backoff;
const { encodeRequest, tryLater } = $contract_requests;

const WINDOW_BYTES = 256 * 1024;
const STALL_MS = 5_000;
const HOLE_MS = 1_000;
const EARLY_CHUNKS = 64;
const WHOLE = new Set(["parts", "seen", "unseen", "push"]); // answered at once, without an offset

class RequestError extends Error {
  constructor(message, status = 0) {
    super(message);
    this.name = "RequestError";
    this.status = status;
  }
}

class Download {
  #operation;
  #args;
  #nextRequestId;
  #backoff;
  #asked = new Set();
  #early = new Map();
  #patienceMs;
  #progressAt;
  #dueAt;
  #windowEnd = Infinity;
  #chunks = [];
  have = 0;
  total = null;

  constructor({ operation, args, nextRequestId, jitter = Math.random, patienceMs, now }) {
    this.#operation = operation;
    this.#args = args;
    this.#nextRequestId = nextRequestId;
    this.#backoff = new Backoff({ jitter, firstMs: 500, longestMs: 10_000 });
    this.#patienceMs = patienceMs;
    this.#progressAt = this.#dueAt = now;
  }

  get done() {
    return this.have === this.total;
  }

  get content() {
    const bytes = new Uint8Array(this.have);
    let at = 0;
    for (const chunk of this.#chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  }

  dueAt(up) {
    const givesUpAt = this.#progressAt + this.#patienceMs;
    return up ? Math.min(this.#dueAt, givesUpAt) : givesUpAt;
  }

  checkPatience(now) {
    if (!this.done && now - this.#progressAt >= this.#patienceMs) {
      throw new RequestError(`no answer from the mail server for ${Math.round(this.#patienceMs / 1000)} seconds`);
    }
  }

  resumed(now) {
    this.#dueAt = now;
  }

  request(now) {
    if (this.done || now < this.#dueAt) return null;
    this.#dueAt = now + STALL_MS;
    const requestId = this.#nextRequestId();
    this.#asked.add(requestId);
    if (WHOLE.has(this.#operation)) return encodeRequest(requestId, this.#operation, ...this.#args);
    const nearest = Math.min(this.have + WINDOW_BYTES, ...this.#early.keys());
    this.#windowEnd = nearest;
    return encodeRequest(requestId, this.#operation, ...this.#args, this.have, nearest - this.have);
  }

  answered(reply, now) {
    if (!this.#asked.has(reply.requestId) || this.done) return;
    if (tryLater(reply)) {
      this.#dueAt = now + this.#backoff.nextMs();
      return;
    }
    if (reply.status) throw new RequestError(reply.text, Number(reply.status));
    if (this.total !== null && this.total !== reply.total) throw new RequestError("the mail changed while it was read");
    this.total = reply.total;
    this.#backoff.reset();
    this.#keep(reply);
    if (this.#passOn()) this.#progressAt = now;
    this.#dueAt = this.have >= this.#windowEnd ? now : now + (this.#early.size ? HOLE_MS : STALL_MS);
  }

  #keep({ offset, chunk }) {
    if (offset >= this.have && (this.#early.size < EARLY_CHUNKS || offset === this.have)) {
      const before = this.#early.get(offset);
      if (!before || before.length < chunk.length) this.#early.set(offset, chunk);
    } else if (offset < this.have && this.have < offset + chunk.length) {
      this.#early.set(this.have, chunk.subarray(this.have - offset));
    }
  }

  #passOn() {
    const before = this.have;
    for (;;) {
      const offset = Math.min(...this.#early.keys());
      if (offset > this.have) break;
      const rest = this.#early.get(offset).subarray(this.have - offset);
      this.#early.delete(offset);
      if (rest.length) {
        this.#chunks.push(rest);
        this.have += rest.length;
      }
    }
    return this.have > before;
  }
}
return { WINDOW_BYTES, STALL_MS, HOLE_MS, EARLY_CHUNKS, RequestError, Download };
})();
const $box_memory = (() => {
const { crc32 } = $contract_digest;

const GONE_IDS = 20_000;

class IdSet {
  #ids = new Set();
  #check = 0;

  get ids() {
    return this.#ids;
  }

  add(id) {
    if (this.#ids.has(id)) return;
    this.#ids.add(id);
    this.#check ^= crc32(id);
  }

  discard(id) {
    if (this.#ids.delete(id)) this.#check ^= crc32(id);
  }

  matches(digest, others = []) {
    let check = this.#check, live = this.#ids.size, newestId = "";
    for (const id of others) {
      check ^= crc32(id);
      live += 1;
      if (id > newestId) newestId = id;
    }
    if (live !== Number(digest.live) || check >>> 0 !== Number(digest.check)) return false;
    for (const id of this.#ids) if (id > newestId) newestId = id;
    return newestId === digest.newestId;
  }
}

class Memory {
  #live = new Map();
  #gone = new Map();
  #box = new IdSet();

  constructor({ live = [], gone = [] } = {}) {
    for (const [id, shown] of gone) this.#gone.set(id, shown);
    for (const [id, shown] of live) this.came(id, shown);
  }

  get live() {
    return this.#live;
  }

  get gone() {
    return this.#gone;
  }

  get box() {
    return this.#box;
  }

  wasShown(id) {
    return Boolean(this.#live.get(id) || this.#gone.get(id));
  }

  came(id, shown = false) {
    this.#live.set(id, shown || this.wasShown(id));
    this.#gone.delete(id);
    this.#box.add(id);
  }

  went(id) {
    const shown = this.wasShown(id);
    this.#live.delete(id);
    this.#gone.delete(id);
    this.#gone.set(id, shown);
    this.#box.discard(id);
    if (this.#gone.size > GONE_IDS) this.#gone.delete(this.#gone.keys().next().value);
  }
}
return { GONE_IDS, IdSet, Memory };
})();
const $box_inbox = (() => {
const { decodeDigest } = $contract_digest;
const { ContractError } = $contract_errors;
const { decodeHeader } = $contract_header;
const { IdSet } = $box_memory;

const GRACE_MS = 4_000;
const BUSY_GRACE_MS = 60_000;
const LONGEST_WAIT_MS = 3_600_000;

class Inbox {
  #memory;
  #digest;
  #doubtful = new Map(); // headers that came after a tombstone of the same mail: which of the two is late?
  #heard = null; // while healing: what the box holds as heard since the subscription
  #digestHeard = false;
  #newsAt;
  #agreedAt;
  #healings = 0;

  constructor({ memory, digest = null, now }) {
    this.#memory = memory;
    this.#digest = digest;
    this.#newsAt = this.#agreedAt = now;
  }

  get agrees() {
    return this.#digest !== null && this.#memory.box.matches(this.#digest);
  }


  header(id, payload, { retained, now }) {
    this.#newsAt = now;
    if (!payload.length) return [...this.#tombstone(id), ...this.#compare(now)];
    this.#heard?.add(id);
    if (this.#memory.gone.has(id) && !retained) {
      this.#doubtful.set(id, payload);
      return this.#compare(now);
    }
    this.#doubtful.delete(id);
    return [...this.#came(id, payload), ...this.#compare(now)];
  }

  digest(payload, { now }) {
    if (!payload.length) return [];
    let digest;
    try {
      digest = decodeDigest(payload);
    } catch (error) {
      return [skipped(error)];
    }
    const before = this.#digest;
    const news = before && same(before, digest) ? [] : [{ kind: "digest", payload }];
    this.#newsAt = now;
    this.#digestHeard = true;
    this.#digest = digest;
    const changes = this.#compare(now);
    if (this.agrees) this.#doubtful.clear();
    return [...news, ...changes];
  }


  dueAt() {
    if (this.agrees) return this.#doubtful.size ? this.#newsAt + GRACE_MS : null;
    if (this.#digest === null && !this.#memory.live.size) return null;
    const wait = Math.min(GRACE_MS * 2 ** this.#healings, LONGEST_WAIT_MS);
    return Math.min(this.#newsAt + wait, this.#agreedAt + Math.max(wait, BUSY_GRACE_MS));
  }

  check(now) {
    const dueAt = this.dueAt();
    if (dueAt === null || now < dueAt) return false;
    if (this.agrees) {
      this.#doubtful.clear();
      return false;
    }
    this.#healings += 1;
    return true;
  }

  subscribed(now) {
    this.#heard = new IdSet();
    this.#digestHeard = false;
    this.#newsAt = this.#agreedAt = now;
  }

  resumed(now) {
    this.#healings = 0;
    this.#newsAt = this.#agreedAt = now;
  }


  #came(id, payload) {
    const known = this.#memory.live.has(id);
    if (this.#memory.wasShown(id)) {
      this.#memory.came(id);
      return known ? [] : [{ kind: "live", id, payload }];
    }
    let header;
    try {
      header = decodeHeader(payload);
    } catch (error) {
      this.#memory.came(id);
      return known ? [skipped(error)] : [{ kind: "live", id, payload: null }, skipped(error)];
    }
    this.#memory.came(id, true);
    return [{ kind: "shown", id, header, payload }];
  }

  #tombstone(id) {
    this.#doubtful.delete(id);
    this.#heard?.discard(id);
    if (this.#memory.gone.has(id)) return [];
    const shown = this.#memory.wasShown(id);
    this.#memory.went(id);
    return [{ kind: "gone", id, shown }];
  }

  #compare(now) {
    let changes = [];
    if (!this.agrees && this.#digest !== null) {
      if (this.#doubtful.size && this.#memory.box.matches(this.#digest, this.#doubtful.keys())) {
        changes = this.#settle([...this.#doubtful.keys()]);
      } else if (this.#digestHeard && this.#heard?.matches(this.#digest)) {
        changes = this.#adopt(this.#heard.ids);
      }
    }
    if (this.agrees) {
      this.#heard = null;
      this.#healings = 0;
      this.#agreedAt = now;
    }
    return changes;
  }

  #settle(ids) {
    const changes = [];
    for (const id of ids.sort()) {
      const payload = this.#doubtful.get(id);
      this.#doubtful.delete(id);
      changes.push(...this.#came(id, payload));
    }
    return changes;
  }

  #adopt(heard) {
    const kept = new Set(heard);
    const changes = this.#settle([...this.#doubtful.keys()].filter((id) => kept.has(id)));
    for (const id of [...this.#memory.live.keys()].filter((each) => !kept.has(each)).sort()) {
      changes.push(...this.#tombstone(id));
    }
    return changes;
  }
}

function same(one, other) {
  return one.live === other.live && one.check === other.check && one.newestId === other.newestId;
}

function skipped(error) {
  if (!(error instanceof ContractError)) throw error;
  return { kind: "skipped", reason: error.message, otherVersion: error.kind === "version" };
}
return { GRACE_MS, BUSY_GRACE_MS, LONGEST_WAIT_MS, Inbox };
})();
const $box_wishes = (() => {
const { Backoff } = $backoff;
const { encodeRequest, tryLater } = $contract_requests;

const AT_ONCE = 200;
const ANSWER_MS = 10_000;

class Wishes {
  #store;
  #send;
  #up;
  #timers;
  #nextRequestId;
  #backoff;
  #asked = null;
  #telling = false;

  constructor({ store, send, up, timers, nextRequestId, jitter }) {
    this.#store = store;
    this.#send = send;
    this.#up = up;
    this.#timers = timers;
    this.#nextRequestId = nextRequestId;
    this.#backoff = new Backoff({ jitter, firstMs: 1_000, longestMs: 60_000 });
  }

  get dueAt() {
    return this.#asked?.dueAt ?? Infinity;
  }

  entered() {
    this.#asked = null;
  }

  async tell() {
    if (this.#telling || !this.#up() || (this.#asked && this.#timers.now() < this.#asked.dueAt)) return false;
    this.#telling = true;
    const wishes = await this.#store.wishes().finally(() => (this.#telling = false));
    if (!this.#up()) return false;
    if (!wishes.length) {
      this.#asked = null;
      return false;
    }
    const { seen } = wishes[0];
    const ids = wishes.filter((each) => each.seen === seen).map((each) => each.id).slice(0, AT_ONCE);
    const requestId = this.#nextRequestId();
    this.#asked = { requestId, ids, seen, dueAt: this.#timers.now() + ANSWER_MS };
    this.#send(encodeRequest(requestId, seen ? "seen" : "unseen", ...ids));
    return true;
  }

  asked({ requestId }) {
    return this.#asked?.requestId === requestId;
  }

  async answered(reply) {
    if (tryLater(reply)) {
      this.#asked.dueAt = this.#timers.now() + this.#backoff.nextMs();
      return false;
    }
    const { ids, seen } = this.#asked;
    this.#asked = null;
    this.#backoff.reset();
    await this.#store.granted(ids, seen);
    return true;
  }
}
return { Wishes };
})();
const $box_device = (() => {
const { decodeDigest } = $contract_digest;
const { ContractError } = $contract_errors;
const { decodeReply } = $contract_requests;
const { mailbox, parseTopic } = $contract_topics;
const { Connection } = $mqtt_connection;
const { Download } = $box_download;
const { Inbox } = $box_inbox;
const { GONE_IDS, Memory } = $box_memory;
const { Wishes } = $box_wishes;

const PATIENCE_MS = 30_000; // without any progress

class Device {
  #store;
  #login;
  #tell;
  #timers;
  #jitter;
  #topics;
  #inbox;
  #recalled;
  #downloads = new Set();
  #requestId;
  #due = null;
  #wishes;
  #connection;
  #bridges = new Map();
  #toldOlder = false;
  #closed = false;

  constructor({ store, login, url, open, timers, tell, jitter = Math.random }) {
    this.#store = store;
    this.#login = login;
    this.#tell = tell;
    this.#timers = timers;
    this.#jitter = jitter;
    this.#topics = mailbox(login.root, login.user, login.device);
    this.#requestId = Math.floor(jitter() * 2 ** 31);
    this.#wishes = new Wishes({
      store, timers, jitter, up: () => this.#connection.up, nextRequestId: () => this.#nextRequestId(),
      send: (payload) => this.#request(payload),
    });
    const filters = [
      { filter: this.#topics.headers, qos: 1, once: true },
      { filter: this.#topics.box, qos: 1 },
      { filter: this.#topics.replies, qos: 1 },
      { filter: "mail-bridge/+/status", qos: 0, optional: true },
    ];
    this.#connection = new Connection({
      url, open, timers, jitter, filters, listener: this,
      login: { username: this.#topics.username, password: login.password },
    });
  }

  async start() {
    await this.#recall();
    if (!this.#closed) this.#connection.connect();
  }

  close() {
    this.#closed = true;
    this.#timers.clear(this.#due);
    this.#connection.close();
  }

  get now() {
    const bridges = [...this.#bridges.values()];
    return { ...this.#connection.state, bridge: !bridges.length || bridges.includes("online") };
  }

  wake() {
    this.#connection.wake();
  }

  reconnect() {
    this.#connection.connect();
  }

  fetch(operation, args, progress = () => {}) {
    return new Promise((resolve, reject) => {
      const download = new Download({
        operation, args, jitter: this.#jitter, patienceMs: PATIENCE_MS, now: this.#timers.now(),
        nextRequestId: () => this.#nextRequestId(),
      });
      this.#downloads.add({ download, resolve, reject, progress });
      this.#look();
    });
  }


  entered() {
    this.#inbox.resumed(this.#timers.now());
    for (const { download } of this.#downloads) download.resumed(this.#timers.now());
    this.#wishes.entered();
    this.#timers.set(() => this.grantWishes(), 0);
    return this.#recalled.confirmed;
  }

  voided() {
    this.#recalled.confirmed = "";
    return this.#store.confirm("");
  }

  confirmed(key) {
    if (this.#recalled.confirmed === key) return;
    this.#recalled.confirmed = key;
    this.#store.confirm(key).catch(() => (this.#recalled.confirmed = ""));
  }

  subscribing() {
    this.#inbox.subscribed(this.#timers.now());
    this.#look();
  }

  pulse() {
    this.#tell("pulse");
  }

  state() {
    if (this.#closed) return; // another tab says how it is
    this.#tell("state", this.now);
    this.#look();
  }

  async received(messages) {
    const changes = [];
    const replies = [];
    for (const message of messages) this.#sort(message, changes, replies);
    if (changes.length) await this.#record(changes);
    for (const reply of replies) this.#answered(reply);
    this.#look();
  }


  #sort({ topic, payload, retained }, changes, replies) {
    const now = this.#timers.now();
    const bridge = /^mail-bridge\/([^/]+)\/status$/.exec(topic);
    if (bridge) {
      this.#bridges.set(bridge[1], new TextDecoder().decode(payload));
      this.#tell("state", this.now);
      return;
    }
    try {
      const { user, what, leaf } = parseTopic(this.#login.root, topic);
      if (user !== this.#login.user) return;
      if (what === "msg") changes.push(...this.#inbox.header(leaf, payload, { retained, now }));
      if (what === "box") changes.push(...this.#inbox.digest(payload, { now }));
      if (what === "re" && leaf === this.#login.device) replies.push(decodeReply(payload));
    } catch (error) {
      if (!(error instanceof ContractError)) throw error;
      changes.push({ kind: "skipped", reason: error.message, otherVersion: error.kind === "version" });
    }
  }

  async #record(changes) {
    const went = changes.filter((each) => each.kind === "gone");
    try {
      await this.#store.commit(changes, this.#recalled.at);
    } catch (error) {
      await this.#recall();
      throw error;
    }
    this.#recalled.at += went.length;
    this.#tell("box");
    const came = changes.filter((each) => each.kind === "shown");
    if (came.length) this.#tell("came", came.map(({ id, header }) => ({ id, header })));
    if (went.length) this.#tell("gone", went.map((each) => each.id));
    if (!this.#toldOlder && changes.some((each) => each.otherVersion)) {
      this.#toldOlder = true;
      this.#tell("older");
    }
  }

  async #recall() {
    this.#recalled = await this.#store.recall();
    const { live, gone, digest } = this.#recalled;
    const surplus = gone.splice(0, Math.max(0, gone.length - GONE_IDS));
    if (surplus.length) await this.#store.commit([], this.#recalled.at, surplus.map(([id]) => id));
    const known = digest && decodeDigest(digest);
    this.#inbox = new Inbox({ memory: new Memory({ live, gone }), digest: known, now: this.#timers.now() });
  }


  #answered(reply) {
    const now = this.#timers.now();
    if (this.#wishes.asked(reply)) void this.#granted(reply);
    for (const each of this.#downloads) {
      try {
        const before = each.download.have;
        each.download.answered(reply, now);
        if (each.download.have > before) each.progress(each.download.have, Number(each.download.total));
        if (!each.download.done) continue;
        each.resolve(each.download.content);
      } catch (error) {
        each.reject(error);
      }
      this.#downloads.delete(each);
    }
  }

  async grantWishes() {
    if (await this.#wishes.tell()) this.#look();
  }

  async #granted(reply) {
    if (await this.#wishes.answered(reply)) {
      this.#tell("box");
      await this.grantWishes();
    }
    this.#look();
  }

  #request(payload) {
    return this.#connection.publish(this.#topics.requests, payload);
  }

  #nextRequestId() {
    this.#requestId = (this.#requestId + 1) % 2 ** 32;
    return this.#requestId;
  }


  #look() {
    if (this.#closed) return;
    const now = this.#timers.now(), { up } = this.#connection;
    let next = Infinity;
    for (const each of this.#downloads) {
      try {
        each.download.checkPatience(now);
        const request = up && each.download.request(now);
        if (request) this.#request(request);
        next = Math.min(next, each.download.dueAt(up));
      } catch (error) {
        this.#downloads.delete(each);
        each.reject(error);
      }
    }
    if (up) {
      if (this.#inbox.check(now)) this.#connection.heal();
      next = Math.min(next, this.#inbox.dueAt() ?? Infinity);
      if (now >= this.#wishes.dueAt) void this.grantWishes();
      else next = Math.min(next, this.#wishes.dueAt);
    }
    this.#timers.clear(this.#due);
    this.#due = next === Infinity ? null : this.#timers.set(() => this.#look(), Math.max(50, next - now));
  }
}
return { Device };
})();
const $html = (() => {
const BODIES = "bodies";
const TAKEN_OUT = "script, link, meta, base, iframe, frame, frameset, object, embed, applet, form, input, button, textarea, " +
  "select, audio, video, source, track, portal, template";
const LOOKS = "html{color-scheme:light;background:#fff}body{margin:16px;font:16px/1.5 system-ui,sans-serif;color:#111;" +
  "overflow-wrap:anywhere}img{max-width:100%;height:auto}pre{white-space:pre-wrap}table{max-width:100%}";

function decodeHtml(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    const start = new TextDecoder("latin1").decode(bytes.subarray(0, 4096));
    const named = /charset\s*=\s*["']?([\w-]{1,40})/i.exec(start)?.[1] ?? "windows-1252";
    try {
      return new TextDecoder(named).decode(bytes);
    } catch {
      return new TextDecoder("windows-1252").decode(bytes);
    }
  }
}

async function shelve(id, html, trusted) {
  if (!globalThis.caches) throw new Error("this address is not secure, and needs https for that");
  const page = new DOMParser().parseFromString(trusted(html), "text/html"); // nothing in it runs or is fetched
  for (const each of page.querySelectorAll(TAKEN_OUT)) each.remove();
  for (const link of page.querySelectorAll("a[href], area[href]")) {
    link.setAttribute("target", "_blank");
    link.setAttribute("rel", "noopener noreferrer nofollow");
    link.removeAttribute("ping");
  }
  const looks = page.createElement("style");
  looks.textContent = LOOKS;
  page.head.prepend(looks);
  const path = new URL(`body/${id}`, document.baseURI).pathname;
  const cache = await caches.open(BODIES);
  await cache.put(path, new Response(`<!doctype html>${page.documentElement.outerHTML}`));
  return path;
}

async function unshelve(ids = null) {
  if (!globalThis.caches) return;
  if (ids === null) return void (await caches.delete(BODIES));
  const cache = await caches.open(BODIES);
  await Promise.all(ids.map((id) => cache.delete(new URL(`body/${id}`, document.baseURI).pathname)));
}
return { decodeHtml, shelve, unshelve };
})();
const $mails = (() => {
const { decodeHeader } = $contract_header;

const MEANT_MS = 10_000;

class Mails {
  #store;
  #timers;
  #tell;
  #meant = new Map(); // by id: whether it was seen, until when that holds at least, and the mail, which may have left the box

  constructor({ store, timers, tell }) {
    this.#store = store;
    this.#timers = timers;
    this.#tell = tell;
  }

  async list() {
    const [rows, wishes, digest] = await Promise.all([this.#store.mails(), this.#store.wishes(), this.#store.fact("digest")]);
    const mails = new Map();
    for (const { id, payload, opened } of rows) {
      if (payload) mails.set(id, { id, opened, payload: payload.length, header: decodeHeader(payload) });
    }
    const waiting = new Map(wishes.map(({ id, seen }) => [id, seen]));
    for (const [id, seen] of waiting) if (seen) mails.delete(id);
    for (const [id, { seen, untilMs, mail }] of this.#meant) {
      if (this.#timers.now() >= untilMs && !waiting.has(id)) this.#meant.delete(id);
      else if (seen) mails.delete(id);
      else if (!mails.has(id)) mails.set(id, mail);
    }
    return { mails: [...mails.values()].sort((one, other) => (one.id < other.id ? 1 : -1)), loaded: digest !== undefined };
  }

  async mark(mails, seen) {
    const untilMs = this.#timers.now() + MEANT_MS;
    for (const mail of mails) this.#meant.set(mail.id, { seen, untilMs, mail });
    this.#timers.set(() => this.#tell(), MEANT_MS);
    await this.#store.wish(mails.map((each) => each.id), seen);
  }
}
return { MEANT_MS, Mails };
})();
const $store = (() => {
const NAME = "postbell", VERSION = 1;

class FencedError extends Error {
  constructor() {
    super("another tab has taken over");
    this.name = "FencedError";
  }
}

async function openStore(name = NAME, factory = indexedDB) {
  const request = factory.open(name, VERSION);
  request.onupgradeneeded = () => {
    const database = request.result;
    database.createObjectStore("facts");
    database.createObjectStore("mails", { keyPath: "id" });
    database.createObjectStore("gone", { keyPath: "id" }).createIndex("at", "at");
    database.createObjectStore("wishes", { keyPath: "id" });
    database.createObjectStore("texts");
  };
  return new Store(await settled(request));
}

class Store {
  #database;
  #epoch = null;

  constructor(database) {
    this.#database = database;
    database.onversionchange = () => database.close();
  }

  close() {
    this.#database.close();
  }


  fact(name) {
    return this.#read("facts", (store) => store.get(name));
  }

  setFact(name, value) {
    return this.#write(["facts"], ([facts]) => facts.put(value, name));
  }

  mails() {
    return this.#read("mails", (store) => store.getAll());
  }

  wishes() {
    return this.#read("wishes", (store) => store.getAll());
  }

  wish(ids, seen) {
    return this.#write(["wishes"], ([wishes]) => ids.forEach((id) => wishes.put({ id, seen })));
  }

  granted(ids, seen) {
    return this.#write(["wishes"], ([wishes]) => {
      for (const id of ids) {
        const now = wishes.get(id);
        now.onsuccess = () => now.result?.seen === seen && wishes.delete(id);
      }
    });
  }

  opened(id) {
    return this.#write(["mails"], ([mails]) => {
      const found = mails.get(id);
      found.onsuccess = () => found.result && mails.put({ ...found.result, opened: true });
    });
  }

  text(id) {
    return this.#read("texts", (store) => store.get(id));
  }

  keepText(id, text) {
    return this.#write(["texts", "mails"], ([texts, mails]) => {
      const live = mails.count(id);
      live.onsuccess = () => live.result && texts.put(text, id);
    });
  }

  async login(login) {
    await this.#write(["facts", "mails", "gone", "wishes", "texts"], (stores) => {
      stores.forEach((store) => store.clear());
      if (login) stores[0].put(login, "login");
    });
  }


  async lead(epoch) {
    await this.setFact("epoch", epoch);
    this.#epoch = epoch;
    return this.recall();
  }

  async recall() {
    const transaction = this.#database.transaction(["facts", "mails", "gone"]);
    const [facts, mails, gone] = ["facts", "mails", "gone"].map((each) => transaction.objectStore(each));
    const [confirmed, digest, live, went] = await Promise.all(
      [facts.get("confirmed"), facts.get("digest"), mails.getAll(), gone.index("at").getAll()].map(settled));
    return {
      confirmed: confirmed ?? "",
      digest: digest ?? null,
      live: live.map(({ id, shown }) => [id, shown]),
      gone: went.map(({ id, shown }) => [id, shown]),
      at: went.length ? went[went.length - 1].at : 0,
    };
  }

  commit(changes, at, forgotten = []) {
    return this.#write(["facts", "mails", "gone", "texts"], ([facts, mails, gone, texts]) => {
      for (const change of changes) {
        const { kind, id, payload } = change;
        if (kind === "digest") facts.put(payload, "digest");
        if (kind === "shown" || kind === "live") {
          mails.put({ id, payload, shown: change.kind === "shown" || Boolean(payload), opened: false });
          gone.delete(id);
        }
        if (kind === "gone") {
          mails.delete(id);
          texts.delete(id);
          gone.put({ id, shown: change.shown, at: ++at });
        }
      }
      forgotten.forEach((id) => gone.delete(id));
    }, { fenced: true });
  }

  confirm(key) {
    return this.#write(["facts"], ([facts]) => facts.put(key, "confirmed"), { fenced: true });
  }


  #read(name, ask) {
    return settled(ask(this.#database.transaction(name).objectStore(name)));
  }

  #write(names, change, { fenced = false } = {}) {
    return new Promise((resolve, reject) => {
      const transaction = this.#database.transaction(names, "readwrite", { durability: "strict" });
      let why = null;
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(why ?? transaction.error ?? new Error("the browser gave up writing"));
      const run = () => change(names.map((each) => transaction.objectStore(each)));
      if (!fenced) return run();
      const epoch = transaction.objectStore("facts").get("epoch");
      epoch.onsuccess = () => {
        if (epoch.result === this.#epoch) return run();
        why = new FencedError();
        transaction.abort();
      };
    });
  }
}

function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
return { FencedError, openStore, Store };
})();
const $tabs = (() => {
const LOCK = "postbell", CHANNEL = "postbell";
const QUIET_MS = 60_000;
const PROOF_MS = 12_000;
const ALONE = { request: (name, options, run) => run() }; // without https a browser has no locks: each tab leads
const ENDS = new Set(["refused", "taken"]); // states that last until somebody does something

class Tabs {
  #channel;
  #name = Math.random().toString(36).slice(2);
  #leader = null;
  #inLine = false;
  #asked = new Map();
  #number = 0;
  #proof = null;
  #quiet = null;

  constructor({ lead, heard, visible, timers, locks = navigator.locks ?? ALONE, channel = new BroadcastChannel(CHANNEL) }) {
    Object.assign(this, { lead, heard, visible, timers, locks });
    this.#channel = channel;
    channel.onmessage = (event) => this.#receive(event.data);
  }

  get leads() {
    return this.#leader !== null;
  }

  start() {
    void this.#queue({ steal: false });
    this.#post("hello");
    this.look();
  }

  tell(kind, value) {
    this.#post(kind, { value });
    this.#hear(kind, value);
  }

  ask(operation, args = [], progress = () => {}) {
    if (this.#leader) return this.#leader.ask(operation, args, progress);
    return new Promise((resolve, reject) => {
      const number = (this.#number += 1);
      this.#asked.set(number, { operation, args, progress, resolve, reject });
      this.#post("ask", { number, operation, args });
      this.#prove();
    });
  }

  look() {
    if (this.#leader) this.#leader.wake();
    else if (this.visible()) this.#prove();
  }


  async #queue({ steal }) {
    let leader = null, robbed = false, end;
    const until = new Promise((resolve) => (end = resolve));
    this.#inLine ||= !steal;
    try {
      await this.locks.request(LOCK, steal ? { steal } : {}, async () => {
        this.#inLine &&= steal;
        leader = await this.lead();
        if (robbed) return leader.close();
        this.#leader = leader;
        this.#trust();
        this.#post("leader", { value: leader.now });
        this.#askAgain();
        return until;
      });
    } catch (error) {
      if (error.name !== "AbortError") return this.heard("failed", error.message);
      robbed = true; // whoever did it leads now
      end();
      leader?.close();
      this.#leader = null;
      this.heard("box"); // what it missed is on record, and how it is the next one says
      this.#post("hello");
      if (!this.#inLine) void this.#queue({ steal: false });
    }
  }

  #askAgain() {
    for (const [number, each] of this.#asked) {
      this.#asked.delete(number);
      this.#leader.ask(each.operation, each.args, each.progress).then(each.resolve, each.reject);
    }
  }

  #prove() {
    this.#post("alive?");
    this.#proof ??= this.timers.set(() => {
      this.#proof = null;
      if (!this.#leader) void this.#queue({ steal: true });
    }, PROOF_MS);
  }

  #trust() {
    this.timers.clear(this.#proof);
    this.#proof = null;
    this.timers.clear(this.#quiet);
    this.#quiet = this.timers.set(() => this.look(), QUIET_MS);
  }


  #receive({ kind, from, to, number, operation, args, value, error, have, total }) {
    if (to && to !== this.#name) return;
    if (this.#leader) {
      const { now } = this.#leader;
      if (kind === "alive?") this.#leader.wake();
      if (kind === "alive?" && ENDS.has(now.name)) this.#post("state", { value: now });
      if (kind === "hello") this.#post("state", { to: from, value: now });
      if (kind === "ask") void this.#serve(from, number, operation, args);
      return;
    }
    const asked = this.#asked.get(number);
    if (kind === "leader") {
      this.#hear("state", value, this.#name);
      for (const [again, each] of this.#asked) this.#post("ask", { number: again, ...plain(each) });
    } else if (kind === "progress") asked?.progress(have, total);
    else if (kind === "answer") {
      this.#asked.delete(number);
      if (error) asked?.reject(Object.assign(new Error(error.message), error));
      else asked?.resolve(value);
    } else if (value !== undefined || kind === "pulse" || kind === "box" || kind === "older") this.#hear(kind, value, to);
  }

  #hear(kind, value, to) {
    if (kind === "pulse" || (kind === "state" && !to && value.name !== "connecting")) this.#trust();
    this.heard(kind, value);
  }

  async #serve(from, number, operation, args) {
    const progress = (have, total) => this.#post("progress", { to: from, number, have, total });
    try {
      this.#post("answer", { to: from, number, value: await this.#leader.ask(operation, args, progress) });
    } catch (error) {
      this.#post("answer", { to: from, number, error: { message: error.message, name: error.name, status: error.status } });
    }
  }

  #post(kind, more = {}) {
    this.#channel.postMessage({ kind, from: this.#name, ...more });
  }
}

function plain({ operation, args }) {
  return { operation, args };
}
return { QUIET_MS, PROOF_MS, Tabs };
})();
const $view_dom = (() => {
const SVG = "http://www.w3.org/2000/svg";
const DRAWN = {
  back: "M15 5l-7 7 7 7",
  bell: "M6 16V11a6 6 0 0 1 12 0v5l2 2H4zM10 21h4",
  check: "M5 13l4 4L19 7",
  clip: "M8 12l5-5a3 3 0 0 1 4 4l-7 7a5 5 0 0 1-7-7l7-7",
  close: "M6 6l12 12M18 6L6 18",
  down: "M12 4v11m-5-5l5 5 5-5M5 20h14",
  lock: "M7 11V8a5 5 0 0 1 10 0v3M5 11h14v9H5z",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l4 4",
  shield: "M12 3l7 3v6c0 4-3 7-7 9-4-2-7-5-7-9V6z",
  date: "M5 6h14v14H5zM5 10h14M9 3v4M15 3v4",
  warning: "M12 4l9 16H3zM12 10v4M12 17v.5",
};

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (key.includes("-") || key === "role" || key === "for") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children.flat().filter((each) => each !== null && each !== undefined && each !== false));
  return made;
}

function drawing(name) {
  const svg = document.createElementNS(SVG, "svg"), path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "drawing");
  path.setAttribute("d", DRAWN[name]);
  svg.append(path);
  return svg;
}

function button(label, name, onclick, { worded = false, className = "" } = {}) {
  const properties = { type: "button", onclick, title: worded ? null : label, "aria-label": worded ? null : label };
  return element("button", { className: `button ${worded ? "" : "round"} ${className}`, ...properties },
    name && drawing(name), worded && label);
}

function foreign(text, name = "bdi", properties = {}) {
  return element(name, { dir: "auto", ...properties }, text);
}
return { element, drawing, button, foreign };
})();
const $view_swipe = (() => {
const FAR = 0.35, SLOP = 12;

function swipeable(row, moved, done) {
  let start = null, dragging = false;

  const end = (far) => {
    if (start === null) return;
    start = null;
    row.classList.remove("dragged");
    if (!dragging) return;
    dragging = false;
    const aside = Number(moved.dataset.dx ?? 0);
    delete moved.dataset.dx;
    if (!far || Math.abs(aside) < row.clientWidth * FAR) {
      moved.style.transform = "";
      return;
    }
    moved.style.transform = `translateX(${Math.sign(aside) * 110}%)`;
    setTimeout(done, 160);
  };

  row.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" || !event.isPrimary) return;
    start = { x: event.clientX, y: event.clientY, id: event.pointerId };
  });
  row.addEventListener("pointermove", (event) => {
    if (start === null || event.pointerId !== start.id) return;
    const dx = event.clientX - start.x, dy = event.clientY - start.y;
    if (!dragging) {
      if (Math.abs(dy) > SLOP && Math.abs(dy) > Math.abs(dx)) return end(false);
      if (Math.abs(dx) < SLOP) return;
      dragging = true;
      row.classList.add("dragged");
      row.setPointerCapture(event.pointerId);
    }
    moved.dataset.dx = String(dx);
    moved.style.transform = `translateX(${dx}px)`;
  });
  row.addEventListener("pointerup", () => end(true));
  row.addEventListener("pointercancel", () => end(false));
  row.addEventListener("click", (event) => {
    if (moved.style.transform) event.preventDefault();
  }, true);
}
return { swipeable };
})();
const $view_list = (() => {
const { button, drawing, element, foreign } = $view_dom;
const { swipeable } = $view_swipe;
const { dayOf, hue, initial, sender, subject, timeOf, told } = $view_words;

class List {
  #rows = new Map();
  #mails = [];
  #query = "";
  #current = null;

  constructor({ seen, now = Date.now }) {
    Object.assign(this, { seen, now });
    this.place = element("div", { className: "days" });
  }

  show(mails, loaded = true) {
    this.#mails = mails;
    this.loaded = loaded;
    this.#render();
  }

  search(query) {
    this.#query = fold(query);
    this.#render();
    return this.place.querySelectorAll(".row").length;
  }

  set current(id) {
    this.#current = id;
    for (const [each, { link }] of this.#rows) mark(link, each === id);
  }

  focus(id) {
    const row = this.#rows.get(id) ?? this.#rows.values().next().value;
    row?.link.focus();
  }

  get focused() {
    return document.activeElement?.closest?.(".row")?.dataset.id ?? null;
  }

  beside(id, step) {
    const ids = [...this.place.querySelectorAll(".row")].map((each) => each.dataset.id);
    const at = ids.indexOf(id);
    return ids[at < 0 ? 0 : at + step] ?? null;
  }


  #render() {
    const found = this.#mails.filter((mail) => matches(mail, this.#query));
    const ids = new Set(this.#mails.map((each) => each.id));
    for (const id of [...this.#rows.keys()]) if (!ids.has(id)) this.#rows.delete(id);
    const days = new Map();
    for (const mail of found) {
      const day = dayOf(mail.id, this.now());
      if (!days.has(day)) days.set(day, []);
      days.get(day).push(this.#row(mail));
    }
    const focused = this.focused;
    const sections = [...days].map(([day, rows]) =>
      element("section", { className: "day" }, element("h2", {}, day), element("ul", {}, rows)));
    this.place.replaceChildren(...(sections.length ? sections : [this.#nothing()]));
    if (focused && this.focused !== focused) this.#rows.get(focused)?.link.focus({ preventScroll: true });
  }

  #row(mail) {
    const known = this.#rows.get(mail.id);
    if (known && known.opened === mail.opened && known.payload === mail.payload) return known.row;
    const { id, header } = mail;
    const badges = told(header).map(([name, shape, words]) =>
      element("span", { className: `badge ${name}`, title: words }, drawing(shape), element("span", { className: "unseen" }, words)));
    const link = element("a", { className: "mail", href: `#mail=${id}` },
      element("span", { className: `face hue-${hue(header)}`, "aria-hidden": "true" }, initial(header)),
      element("span", { className: "what" },
        element("span", { className: "first" }, foreign(sender(header), "bdi", { className: "from" }),
          element("span", { className: "badges" }, badges), element("time", {}, timeOf(id))),
        foreign(subject(header), "span", { className: "subject" }),
        foreign(header.snippet, "span", { className: "snippet" })));
    mark(link, id === this.#current);
    const slid = element("div", { className: "slid" }, link,
      button(`Seen: ${subject(header)}`, "check", () => this.seen(id), { className: "seen" }));
    const row = element("li", { className: `row ${mail.opened ? "" : "new"}`, "data-id": id },
      element("span", { className: "behind", "aria-hidden": "true" }, drawing("check"), drawing("check")), slid);
    swipeable(row, slid, () => this.seen(id));
    this.#rows.set(id, { row, link, opened: mail.opened, payload: mail.payload });
    return row;
  }

  #nothing() {
    const words = !this.loaded ? "Mail is being fetched…" : this.#query ? "No mail here says that." : "All read.";
    return element("div", { className: "nothing" }, drawing(this.#query ? "search" : "bell"), element("p", {}, words));
  }
}

function mark(link, is) {
  if (is) link.setAttribute("aria-current", "true");
  else link.removeAttribute("aria-current");
}

function fold(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase().trim();
}

function matches({ header }, query) {
  if (!query) return true;
  const text = fold([header.fromName, header.fromAddress, header.subject, header.snippet, header.detail].join(" "));
  return query.split(/\s+/).every((word) => text.includes(word));
}
return { List };
})();
const $view_mail = (() => {
const { flagNames } = $contract_header;
const { receivedMs } = $contract_ids;
const { decodeParts } = $contract_requests;
const { decodeHtml } = $html;
const { button, drawing, element, foreign } = $view_dom;
const { fileName, hue, initial, momentOf, sender, size, subject, told } = $view_words;

const LINK = /\bhttps?:\/\/[^\s<>"'`\u0000-\u001f\u200b-\u200f\u202a-\u202e\u2066-\u2069]{3,2000}/g;
const BEHIND = /[.,;:!?)\]}»”’*_]+$/;
const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

class Mail {
  #urls = [];
  #closed = false;

  constructor({ mail, fetch, kept, keep, shelve, seen, back }) {
    Object.assign(this, { mail, fetch, kept, keep, shelve });
    const { id, header } = mail;
    this.title = foreign(subject(header), "h1", { tabIndex: -1, id: "subject" });
    this.text = element("div", { className: "text" }, waiting("The mail is being fetched…"));
    this.files = element("div", { className: "files" });
    this.tools = element("div", { className: "tools" });
    this.place = element("article", { className: "opened", "aria-labelledby": "subject" },
      element("div", { className: "bar" }, button("Back to the list", "back", back, { className: "back" }),
        element("span", { className: "grow" }),
        button("Seen", "check", () => seen(id), { worded: true, className: "main" })),
      this.title,
      element("div", { className: "who" },
        element("span", { className: `face hue-${hue(header)}`, "aria-hidden": "true" }, initial(header)),
        element("div", {}, foreign(sender(header), "div", { className: "from" }),
          header.fromName ? foreign(header.fromAddress, "div", { className: "address" }) : null,
          element("div", { className: "when" }, element("time", {}, momentOf(receivedMs(id))),
            header.date === null ? null : ` · dated ${momentOf(header.date * 1000)}`,
            ` · ${size(header.size)}`, header.detail ? [" · +", foreign(header.detail)] : null))),
      element("ul", { className: "told" }, told(header).map(([name, shape, words]) =>
        element("li", { className: name }, drawing(shape), words))),
      this.tools, this.text, this.files);
  }

  async open() {
    const { id } = this.mail;
    const kept = await this.kept(id);
    if (kept !== undefined) this.#say(kept);
    await Promise.all([kept === undefined ? this.#read(id) : null, this.#list(id)]);
  }

  close() {
    this.#closed = true;
    this.#urls.forEach((url) => URL.revokeObjectURL(url));
  }

  async #read(id) {
    try {
      const bytes = await this.fetch("text", [id], progressIn(this.text));
      const text = new TextDecoder().decode(bytes);
      this.#say(text);
      await this.keep(id, text);
    } catch (error) {
      this.text.replaceChildren(failed(error, () => {
        this.text.replaceChildren(waiting("Once more…"));
        void this.#read(id);
      }));
    }
  }

  #say(text) {
    if (!text.trim()) this.text.replaceChildren(element("p", { className: "hint" }, "There is no text in this mail."));
    else this.text.replaceChildren(...text.split(/\n{2,}/).map(paragraph));
  }

  async #list(id) {
    try {
      const parts = decodeParts(await this.fetch("parts", [id]));
      const page = parts.find((each) => each.contentType === "text/html" && !each.fileName);
      const files = parts.filter((each) => each !== page && !inBody(each));
      if (this.#closed) return;
      if (page) this.tools.replaceChildren(this.#switch(page));
      if (files.length) {
        this.files.replaceChildren(element("h2", {}, files.length === 1 ? "1 attachment" : `${files.length} attachments`),
          element("ul", {}, files.map((each) => this.#file(each))));
      }
    } catch (error) {
      const expected = flagNames(this.mail.header).includes("attachment");
      if (expected && !this.#closed) this.files.replaceChildren(element("p", { className: "hint" }, `Attachments: ${error.message}.`));
    }
  }

  #switch(page) {
    const on = button("Formatted", null, () => choose(true), { worded: true });
    const off = button("Plain text", null, () => choose(false), { worded: true });
    const cell = element("div", { className: "cell", hidden: true });
    this.text.after(cell);
    const choose = async (formatted) => {
      on.setAttribute("aria-pressed", String(formatted));
      off.setAttribute("aria-pressed", String(!formatted));
      this.text.hidden = formatted;
      cell.hidden = !formatted;
      if (formatted && !cell.childElementCount) await this.#frame(page, cell);
    };
    void choose(false);
    return element("div", { className: "switch", role: "group", "aria-label": "How to show it" }, off, on);
  }

  async #frame(page, cell) {
    cell.append(waiting("The page is being fetched…"));
    try {
      const bytes = await this.fetch("part", [this.mail.id, page.index], progressIn(cell));
      const url = await this.shelve(this.mail.id, decodeHtml(bytes));
      cell.replaceChildren(element("iframe", { src: url, title: "The mail as a page" }),
        element("p", { className: "hint" }, "Pictures and fonts from elsewhere are not loaded: they would tell that you read this."));
    } catch (error) {
      cell.replaceChildren(failed(error, () => {
        cell.replaceChildren();
        void this.#frame(page, cell);
      }));
    }
  }

  #file(part) {
    const name = fileName(part);
    const bar = element("progress", { max: 1, value: 0, hidden: true, "aria-label": `Fetching ${name}` });
    const words = element("span", { className: "hint" }, `${part.contentType} · ${size(part.size)}`);
    const row = element("li", {}, drawing("clip"),
      element("div", { className: "what" }, foreign(name, "span", { className: "name" }), words, bar));
    const fetched = async (use) => {
      bar.hidden = false;
      try {
        const bytes = await this.fetch("part", [this.mail.id, part.index], (have, total) => (bar.value = total ? have / total : 1));
        words.textContent = `${part.contentType} · ${size(bytes.length)}`;
        use(bytes);
      } catch (error) {
        words.textContent = `${error.message}.`;
      }
      bar.hidden = true;
    };
    if (PICTURES.has(part.contentType)) {
      row.append(button(`Show ${name}`, null, () => fetched((bytes) => this.#picture(row, bytes, part, name)), { className: "show" }));
      row.lastChild.append("Show");
      row.lastChild.classList.remove("round");
    }
    row.append(button(`Download ${name}`, "down", () => fetched((bytes) => this.#save(bytes, name))));
    return row;
  }

  #picture(row, bytes, part, name) {
    if (this.#closed) return;
    row.querySelector(".show")?.remove();
    row.append(element("img", { src: this.#url(bytes, part.contentType), alt: name }));
  }

  #save(bytes, name) {
    const link = element("a", { href: this.#url(bytes, "application/octet-stream"), download: name });
    document.body.append(link);
    link.click();
    link.remove();
  }

  #url(bytes, type) {
    const url = URL.createObjectURL(new Blob([bytes], { type }));
    this.#urls.push(url);
    return url;
  }
}

function paragraph(text) {
  const pieces = [];
  let at = 0;
  for (const found of text.matchAll(LINK)) {
    const url = found[0].replace(BEHIND, "");
    if (!URL.canParse(url)) continue;
    pieces.push(text.slice(at, found.index), element("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, url));
    at = found.index + url.length;
  }
  return element("p", { dir: "auto" }, ...pieces, text.slice(at));
}

function inBody({ contentType, fileName: named }) {
  return contentType.startsWith("multipart/") || (!named && (contentType === "text/plain" || contentType === "text/html"));
}

function waiting(words) {
  return element("div", { className: "waiting" }, element("p", { className: "hint" }, words), element("progress", { "aria-label": words }));
}

function progressIn(place) {
  return (have, total) => {
    const bar = place.querySelector("progress");
    if (bar && total) Object.assign(bar, { max: total, value: have });
  };
}

function failed(error, again) {
  return element("div", { className: "failed" }, element("p", {}, `It could not be fetched: ${error.message}.`),
    button("Try again", null, again, { worded: true }));
}
return { Mail, paragraph };
})();
const $view_toast = (() => {
const { button, element } = $view_dom;

class Toast {
  #place;
  #timer = null;
  #undo = null;

  constructor(place) {
    this.#place = place;
    for (const what of ["pointerenter", "focusin"]) place.addEventListener(what, () => clearTimeout(this.#timer));
  }

  show(words, action = null, ms = 10_000) {
    clearTimeout(this.#timer);
    this.#undo = action?.run ?? null;
    const act = action && button(action.label, null, () => this.act(), { worded: true, className: "plain" });
    this.#place.replaceChildren(element("div", { className: "toast" }, element("span", { role: "status" }, words), act,
      button("Close", "close", () => this.hide())));
    if (ms) this.#timer = setTimeout(() => this.hide(), ms);
  }

  act() {
    const run = this.#undo;
    this.hide();
    run?.();
    return run !== null;
  }

  hide() {
    clearTimeout(this.#timer);
    this.#undo = null;
    this.#place.replaceChildren();
  }
}

function speak(words) {
  document.getElementById("spoken").textContent = words;
}
return { Toast, speak };
})();
const $view_why = (() => {
const { button, drawing, element } = $view_dom;

const STATES = {
  new: "it has not been used yet", ok: "the last one was delivered",
  failing: "the push service takes nothing",
};

function checks({ state, permission, standalone, ios, secure, worker, push, login }) {
  const found = [[true, `This page is ${login.user}’s device “${login.device}”.`, ""]];
  found.push(state.name === "online"
    ? [true, "It is connected to the mail server.", ""]
    : [false, `It is not connected: ${state.reason || "it is just being tried"}.`, "Mail comes when the connection is back. Nothing is lost meanwhile."]);
  if (state.name === "online" && !state.bridge) {
    found.push([false, "The mail server’s bridge is down.", "Whoever runs the server: look at “postbell status”."]);
  }
  if (!secure) found.push([false, "This address is not secure.", "Notifications need https: ask for an address that begins with it."]);
  if (ios && !standalone) {
    found.push([false, "This is a page in Safari.", "On iPhones and iPads only apps on the home screen ring: Share, then Add to Home Screen, and pair again there."]);
  }
  if (!worker) found.push([false, "The service worker does not run.", "Private windows have none: use a normal one, or load the page again."]);
  found.push({
    granted: [true, "The browser lets this page show notifications.", ""],
    denied: [false, "The browser forbids this page notifications.", "Allow them in the browser’s settings for this site; it will not ask again."],
  }[permission] ?? [false, "The browser was never asked for notifications.", "Ask it below."]);
  found.push(rung(push));
  found.push([null, "Mail that the rules call silent makes no sound.", "Nor does mail while the phone does not disturb, sleeps in a saver of power, or has the browser’s notifications muted."]);
  return found;
}

function rung(push) {
  if (push === undefined) return [null, "Whether it rings while the page is closed is being asked…", ""];
  if (push instanceof Error) return [null, `Whether it rings while the page is closed is not known: ${push.message}.`, ""];
  if (!push.key) return [false, "The mail server has Web Push switched off.", "While a page of Postbell is open, it rings all the same."];
  if (push.state === "forgotten") {
    return [false, "The push service has forgotten this device.", "The page asks it anew when it is next opened, or now, below."];
  }
  if (!push.endpoint) return [false, "Nothing rings while the page is closed.", "Switch it on below."];
  const words = STATES[push.state] ?? push.state;
  return [push.state !== "failing", `It rings while the page is closed: ${words}.`, push.reason];
}

class Why {
  constructor({ facts, act, back }) {
    Object.assign(this, { facts, act });
    this.list = element("ul", { className: "checks" });
    this.said = element("p", { className: "hint", role: "status" });
    this.ring = element("div", { className: "buttons" });
    const forget = button("Forget this device", null, () => this.#sure(forget), { worded: true, className: "plain" });
    this.place = element("article", { className: "opened why", "aria-labelledby": "why" },
      element("div", { className: "bar" }, button("Back to the list", "back", back, { className: "back always" })),
      element("h1", { id: "why", tabIndex: -1 }, "Why does nothing ring?"),
      this.list, this.ring, this.said,
      element("h2", {}, "Keys"),
      element("dl", { className: "keys" }, [["j, k", "down and up"], ["Enter", "open"], ["e", "seen"], ["z", "undo"], ["/", "search"], ["Esc", "back"]]
        .map(([key, what]) => element("div", {}, element("dt", {}, element("kbd", {}, key)), element("dd", {}, what)))),
      element("h2", {}, "This browser"),
      element("p", {}, "What is on this page is kept in this browser alone. To have it forget the login and all mail:"), forget);
    this.render();
  }

  render() {
    const facts = this.facts(), found = checks(facts);
    this.list.replaceChildren(...found.map(([holds, what, cure]) =>
      element("li", { className: holds === null ? "unknown" : holds ? "good" : "bad" },
        drawing(holds === null ? "bell" : holds ? "check" : "warning"),
        element("div", {}, element("span", { className: "unseen" }, holds === null ? "Note: " : holds ? "Good: " : "Not so: "),
          element("p", {}, what), cure ? element("p", { className: "hint" }, cure) : null))));
    const on = facts.push?.endpoint && facts.permission === "granted";
    const buttons = [];
    if (facts.permission !== "denied" && !on && facts.worker && facts.secure) {
      buttons.push(button("Ring me", "bell", () => this.#do(this.act.allow), { worded: true, className: "main" }));
    }
    if (facts.permission === "granted" && facts.worker) {
      buttons.push(button("Ring now, as a test", "bell", () => this.#do(this.act.test), { worded: true, className: on ? "main" : "" }));
    }
    if (on) buttons.push(button("Ring no more", null, () => this.#do(this.act.silence), { worded: true }));
    if (facts.state.name !== "online") buttons.push(button("Connect now", null, () => this.#do(this.act.connect), { worded: true }));
    this.ring.replaceChildren(...buttons);
  }

  async #do(action) {
    this.said.textContent = "One moment…";
    try {
      this.said.textContent = (await action()) ?? "";
    } catch (error) {
      this.said.textContent = `That did not work: ${error.message}.`;
    }
    this.render();
  }

  #sure(forget) {
    if (forget.dataset.sure) return void this.#do(this.act.forget);
    forget.dataset.sure = "yes";
    forget.textContent = "Really? Press once more";
    forget.classList.add("danger");
  }
}
return { checks, Why };
})();
const $view_page = (() => {
const { button, drawing, element } = $view_dom;
const { List } = $view_list;
const { Mail } = $view_mail;
const { Toast, speak } = $view_toast;
const { Why } = $view_why;
const { sender, subject } = $view_words;

const OPENED = /^#mail=([0-9a-z]{9})$/;

class Page {
  #mails = [];
  #pane = null;
  #route = "";

  constructor({ place, box, title = (text) => (document.title = text) }) {
    this.box = box;
    this.title = title;
    this.list = new List({ seen: (id) => this.seen(id) });
    this.count = element("span", { className: "count" });
    this.dot = element("a", { className: "state", href: "#why" });
    this.input = element("input", { type: "search", placeholder: "Search", "aria-label": "Search the mail here", enterKeyHint: "search" });
    this.input.addEventListener("input", () => this.#search());
    this.beside = element("div", { className: "beside" });
    const toast = element("div", { className: "toasts" });
    this.toast = new Toast(toast);
    place.replaceChildren(element("div", { className: "app" },
      element("header", { className: "top" },
        element("div", { className: "heading" }, drawing("bell"), element("span", { className: "name" }, "Postbell"), this.count),
        this.dot,
        element("label", { className: "search" }, drawing("search"), this.input)),
      element("main", { className: "panes" }, element("nav", { className: "list", "aria-label": "Mail" }, this.list.place), this.beside)),
    toast);
    document.addEventListener("keydown", (event) => this.#key(event));
    addEventListener("hashchange", () => void this.#show());
    this.#rest();
  }

  async refresh() {
    const { mails, loaded } = await this.box.mails();
    this.#mails = mails;
    this.list.show(mails, loaded);
    this.count.textContent = mails.length ? String(mails.length) : "";
    this.title(mails.length ? `(${mails.length}) Postbell` : "Postbell");
    if (location.hash !== this.#route || (this.#pane === null && OPENED.test(location.hash))) await this.#show();
  }

  state(state) {
    const words = {
      connecting: "Connecting…", online: state.bridge ? "Connected" : "Server is down", refused: "Refused", taken: "Used elsewhere",
    }[state.name] ?? "Not connected";
    if (this.dot.textContent !== words && this.dot.textContent) speak(words);
    this.dot.className = `state ${state.name} ${state.bridge === false ? "alone-" : ""}`;
    this.dot.textContent = words;
    this.dot.title = state.reason ? `${state.reason}. Why does nothing ring?` : "Why does nothing ring?";
    if (this.#pane instanceof Why) this.#pane.render();
  }

  came(mails) {
    const { header } = mails[mails.length - 1];
    speak(mails.length === 1 ? `New mail from ${sender(header)}: ${subject(header)}` : `${mails.length} new mails`);
  }

  learned() {
    if (this.#pane instanceof Why) this.#pane.render();
  }

  async seen(id) {
    const mail = this.#mails.find((each) => each.id === id);
    if (!mail) return;
    const next = this.list.beside(id, 1) ?? this.list.beside(id, -1);
    const focused = this.list.focused === id || !this.list.focused;
    await this.box.seen([mail]);
    if (location.hash === `#mail=${id}`) this.#leave();
    await this.refresh();
    if (focused && next) this.list.focus(next);
    this.toast.show("Seen, on all devices.", { label: "Undo", run: () => void this.#unseen(mail) });
  }

  async #unseen(mail) {
    await this.box.unseen([mail]);
    await this.refresh();
    this.list.focus(mail.id);
  }


  async #show() {
    const route = location.hash;
    this.#route = route;
    const id = OPENED.exec(route)?.[1];
    const mail = id && this.#mails.find((each) => each.id === id);
    this.#close();
    if (mail) await this.#open(mail);
    else if (route === "#why") this.#why();
    else this.#rest();
  }

  #why() {
    this.list.current = null;
    this.#put(new Why({ facts: () => this.box.facts(), act: this.box.act, back: () => this.#leave() }));
    void this.box.ask();
  }

  async #open(mail) {
    this.list.current = mail.id;
    const { fetch, kept, keep, shelve } = this.box;
    const pane = new Mail({ mail, fetch, kept, keep, shelve, seen: (id) => this.seen(id), back: () => this.#leave() });
    this.#put(pane);
    await this.box.opened(mail.id);
    void this.refresh();
    await pane.open();
  }

  #put(pane) {
    this.#pane = pane;
    this.beside.replaceChildren(pane.place);
    document.body.classList.add("reading");
    pane.place.querySelector("h1").focus({ preventScroll: true });
    this.beside.scrollTop = 0;
    if (matchMedia("(max-width: 899px)").matches) scrollTo(0, 0);
  }

  #rest() {
    document.body.classList.remove("reading");
    this.list.current = null;
    this.beside.replaceChildren(element("div", { className: "nothing" }, drawing("bell"), element("p", {}, "Choose a mail to read it here.")));
  }

  #close() {
    this.#pane?.close?.();
    this.#pane = null;
  }

  #leave() {
    const id = OPENED.exec(location.hash)?.[1];
    history.replaceState(null, "", location.pathname + location.search);
    void this.#show().then(() => this.list.focus(id));
  }


  #search() {
    const count = this.list.search(this.input.value);
    if (this.input.value) speak(count === 1 ? "1 mail" : `${count} mails`);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const typing = event.target === this.input;
    if (event.key === "Escape") return this.#escape(typing);
    if (typing && event.key === "ArrowDown") return this.#step(event, 1);
    if (typing || event.target.closest?.("input, textarea, select, [role=alertdialog]")) return;
    const opened = OPENED.exec(location.hash)?.[1], id = this.list.focused ?? opened;
    switch (event.key) {
      case "j": return this.#step(event, 1);
      case "k": return this.#step(event, -1);
      case "ArrowDown": case "ArrowUp": return this.list.focused && this.#step(event, event.key === "ArrowDown" ? 1 : -1);
      case "e": case "Delete": return id && void this.seen(id);
      case "z": return this.toast.act();
      case "/": event.preventDefault(); return this.input.focus();
    }
  }

  #step(event, step) {
    event.preventDefault();
    const opened = OPENED.exec(location.hash)?.[1];
    const next = this.list.beside(this.list.focused ?? opened, step);
    if (next) this.list.focus(next);
  }

  #escape(typing) {
    if (location.hash) return this.#leave();
    if (!typing) return;
    this.input.value = "";
    this.#search();
    this.list.focus();
  }
}
return { Page };
})();
const $view_welcome = (() => {
const { loginIn } = $pairing;
const { button, element } = $view_dom;

function welcome({ pair, ios, standalone }) {
  const input = element("input", {
    id: "link", type: "url", autocomplete: "off", spellcheck: false, required: true, placeholder: "https://…#pair=…",
    "aria-describedby": "wrong",
  });
  const wrong = element("p", { id: "wrong", className: "wrong", role: "alert" });
  const form = element("form", { className: "pair" },
    element("label", { for: "link" }, "Link"), input,
    element("button", { className: "button main", type: "submit" }, "Pair"), wrong);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const login = loginIn(input.value);
    input.value = "";
    if (login) pair(login);
    else wrong.textContent = "This is no link that pairs: it ends in #pair= and many letters.";
  });
  return element("main", { className: "alone" },
    element("img", { src: "icon.svg", alt: "", className: "logo", width: 88, height: 88 }),
    element("h1", {}, "Postbell"),
    element("p", {}, "Mail, the moment it arrives. To begin, scan the code that this prints on the server, or open its link here:"),
    element("pre", {}, "postbell device add NAME phone --qr"),
    ios && !standalone
      ? element("p", { className: "hint" }, "On an iPhone or iPad first add this page to the home screen: Share, then Add to Home Screen. Open it there, and paste the link.")
      : null,
    form);
}

function another({ login, before, choose }) {
  return element("main", { className: "alone", role: "alertdialog", "aria-labelledby": "another" },
    element("h1", { id: "another" }, "Another device?"),
    element("p", {}, `This link is of ${login.user}’s device “${login.device}”. This browser is ${before.user}’s device “${before.device}”, and would forget it.`),
    element("div", { className: "buttons" },
      button("Leave it as it is", null, () => choose(false), { worded: true, className: "main" }),
      button(`Be ${login.user}’s “${login.device}”`, null, () => choose(true), { worded: true })));
}
return { welcome, another };
})();
const $worker = (() => {
class PageWorker {
  registration = null;
  ready = null;

  constructor({ open, renewed }) {
    Object.assign(this, { open, renewed });
  }

  get active() {
    return Boolean(this.registration?.active);
  }

  start(script) {
    const container = navigator.serviceWorker;
    if (!container) return null;
    const controlled = Boolean(container.controller);
    container.addEventListener("message", ({ data }) => {
      if (data?.kind === "open" && data.hash) this.open(data.hash);
    });
    container.addEventListener("controllerchange", () => controlled && this.renewed());
    this.ready = container.register(script)
      .then(() => container.ready)
      .then((registration) => (this.registration = registration))
      .catch(() => null);
    return this.ready;
  }

  post(message) {
    this.registration?.active?.postMessage(message);
  }
}
return { PageWorker };
})();
const $app = (() => {
const { link } = $arrival;
const { Bell } = $bell;
const { Device } = $box_device;
const { shelve, unshelve } = $html;
const { Mails } = $mails;
const { loginIn, sameDevice } = $pairing;
const { openStore } = $store;
const { Tabs } = $tabs;
const { element } = $view_dom;
const { Page } = $view_page;
const { another, welcome } = $view_welcome;
const { PageWorker } = $worker;

const place = document.getElementById("page");
const timers = { set: setTimeout.bind(null), clear: clearTimeout.bind(null), now: () => performance.now() };
const standalone = matchMedia("(display-mode: standalone)").matches || navigator.standalone === true;
const ios = /iPhone|iPad|iPod/.test(navigator.userAgent) || (/Mac/.test(navigator.platform) && navigator.maxTouchPoints > 1);
const trusted = globalThis.trustedTypes?.createPolicy("postbell", {
  createHTML: (html) => html, // for a parser whose document nothing shows or runs (html.js)
  createScriptURL: (url) => {
    if (url !== "sw.js") throw new TypeError("not a script of ours");
    return url;
  },
});

class App {
  #store;
  #login;
  #worker;
  #mails;
  #bell;
  #state = { name: "connecting", reason: "", retryMs: 0, bridge: true };
  #refreshing = null;

  async start() {
    this.#store = await openStore();
    const login = loginIn(link), before = await this.#store.fact("login");
    new BroadcastChannel("postbell-login").onmessage = () => location.reload();
    if (login && before && !sameDevice(login, before)) {
      return place.replaceChildren(another({ login, before, choose: (yes) => void this.#choose(yes ? login : before, before) }));
    }
    if (login && !before) await this.#store.login(login);
    if (login && before && login.password !== before.password) await this.#store.setFact("login", login).then(() => this.#changed());
    this.#login = login ?? before;
    this.#worker = new PageWorker({
      open: (hash) => (location.hash = hash),
      renewed: () => this.page?.toast.show("There is a new version of this page.", { label: "Load it", run: () => location.reload() }, 0),
    });
    void this.#worker.start(trusted?.createScriptURL("sw.js") ?? "sw.js")?.then(() => this.page?.learned());
    if (!this.#login) return place.replaceChildren(welcome({ pair: (each) => void this.#choose(each, null), ios, standalone }));
    this.#run();
  }

  async #choose(login, before) {
    if (login !== before) await this.#store.login(login).then(() => unshelve());
    this.#changed();
    location.reload();
  }

  #changed() {
    const channel = new BroadcastChannel("postbell-login");
    channel.postMessage("changed");
    channel.close();
  }

  #run() {
    this.page = new Page({ place, box: this });
    this.tabs = new Tabs({
      lead: () => this.#lead(), visible: () => document.visibilityState === "visible", timers,
      heard: (kind, value) => this.#heard(kind, value),
    });
    this.#mails = new Mails({ store: this.#store, timers, tell: () => void this.#refresh() });
    const bell = this.#bell = new Bell({ store: this.#store, worker: this.#worker, timers, ask: (operation, args) => this.tabs.ask(operation, args) });
    this.act = {
      allow: () => bell.allow(), test: () => bell.test(), silence: () => bell.silence(), forget: () => this.#forget(),
      connect: () => this.tabs.ask("connect").then(() => "Trying."),
    };
    this.page.state(this.#state);
    void this.page.refresh();
    this.tabs.start();
    const look = () => (this.tabs.look(), void this.#refresh());
    for (const what of ["visibilitychange", "resume"]) document.addEventListener(what, look);
    for (const what of ["online", "pageshow", "focus"]) addEventListener(what, look);
    void bell.renew().then(() => this.page.learned());
  }

  async #lead() {
    await this.#store.lead(crypto.randomUUID?.() ?? String(Math.random()));
    const url = new URL("mqtt", document.baseURI);
    url.protocol = url.protocol.replace("http", "ws");
    const device = new Device({
      store: this.#store, login: this.#login, url: url.href, timers,
      open: (to) => new WebSocket(to, ["mqtt"]), tell: (kind, value) => this.tabs.tell(kind, value),
    });
    await device.start();
    return {
      get now() {
        return device.now;
      },
      close: () => device.close(),
      wake: () => device.wake(),
      ask: async (operation, args, progress) => {
        if (operation === "connect") return device.reconnect();
        if (operation === "wishes") return device.grantWishes();
        return device.fetch(operation, args, progress);
      },
    };
  }

  #heard(kind, value) {
    if (kind === "state") {
      this.#state = value;
      this.page.state(value);
    } else if (kind === "box") void this.#refresh();
    else if (kind === "came") this.#came(value);
    else if (kind === "gone") this.#gone(value);
    else if (kind === "older") this.page.toast.show("Some mail is of a newer kind than this page knows. Load it again, or tell whoever runs the server.", null, 0);
    else if (kind === "failed") this.page.toast.show(`This browser does not keep anything: ${value}.`, null, 0);
  }


  async mails() {
    const listed = await this.#mails.list();
    if (this.tabs?.leads) void navigator.setAppBadge?.(listed.mails.length).catch(() => {});
    return listed;
  }

  seen = (mails) => this.#mark(mails, true);
  unseen = (mails) => this.#mark(mails, false);

  async #mark(mails, seen) {
    await this.#mails.mark(mails, seen);
    this.tabs.tell("box");
    this.tabs.ask("wishes").catch(() => {});
  }

  opened = (id) => this.#store.opened(id);
  kept = (id) => this.#store.text(id);
  keep = (id, text) => this.#store.keepText(id, text).catch(() => {});
  fetch = (operation, args, progress) => this.tabs.ask(operation, args, progress);
  shelve = (id, html) => shelve(id, html, (each) => trusted?.createHTML(each) ?? each);

  facts() {
    return {
      state: this.#state, permission: globalThis.Notification?.permission ?? "denied", standalone, ios, secure: isSecureContext,
      worker: this.#worker.active, push: this.#bell?.report, login: this.#login,
    };
  }

  async ask() {
    await this.#bell.look();
    this.page.learned();
  }

  async #refresh() {
    if (this.#refreshing) return void (this.#refreshing.again = true);
    this.#refreshing = { again: false };
    try {
      await this.page.refresh();
    } finally {
      const { again } = this.#refreshing;
      this.#refreshing = null;
      if (again) void this.#refresh();
    }
  }


  #came(mails) {
    this.page.came(mails);
    if (this.tabs.leads) this.#bell.came(mails);
  }

  #gone(ids) {
    if (!this.tabs.leads) return;
    this.#bell.gone(ids);
    void unshelve(ids);
  }

  async #forget() {
    await this.#bell.silence().catch(() => {});
    await Promise.all([this.#store.login(null), unshelve()]);
    this.#changed();
    location.reload();
  }
}

new App().start().catch((error) => {
  place.replaceChildren(element("main", { className: "alone" }, element("h1", {}, "Postbell"),
    element("p", {}, `This browser does not let the page keep anything: ${error.message}. Private windows often do not.`)));
});
})();
