// The compact header of a mail: read, and described as JSON (docs/protocol.md, "Header" and "Views").

import { STATE_BYTES, checkVersion, elements, integer, line } from "./elements.js";
import { receivedMs } from "./ids.js";

/** The names of the header's flags, lowest bit first. */
export const FLAG_NAMES = [
  "attachment", "urgent", "low_priority", "bulk", "automatic", "encrypted",
  "signed", "invitation", "bounce", "suspicious", "authenticated", "silent",
];
const DEFAULTS = [1, 0, "", "", "", "", 0, "", null];
const FIRST_S = -62135596800; // the years 1 to 9999: what no other calendar has reads as absent
const BEHIND_LAST_S = 253402300800;

/** The header in a payload, trailing defaults filled in, elements of the future ignored. */
export function decodeHeader(payload) {
  return headerOf(elements(payload, STATE_BYTES));
}

/** The header that is these elements, as in an answer to `recent`. */
export function headerOf(given) {
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

/** The names of the flags that are set and known, lowest bit first. */
export function flagNames(header) {
  const flags = BigInt(header.flags);
  return FLAG_NAMES.filter((_, bit) => (flags >> BigInt(bit)) & 1n);
}

/** Whether the mail is to be shown without a sound: the user's rules said so. */
export function isSilent(header) {
  return flagNames(header).includes("silent");
}

/** A mail as the JSON object that `last`, `event` and `watch --json` share. */
export function describe(id, header) {
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
