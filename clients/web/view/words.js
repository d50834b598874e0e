// Times, sizes and people in words of the reader's own language, as far as the browser knows it.

import { flagNames } from "../contract/header.js";
import { receivedMs } from "../contract/ids.js";

const DAY_MS = 86_400_000;
const time = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const DIRECTIONS = /[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** Who sent it: the name, else the address. */
export function sender({ fromName, fromAddress }) {
  return fromName.trim() || fromAddress.trim() || "(unknown sender)";
}

/** What stands in the circle before a name. */
export function initial(header) {
  return (/[\p{L}\p{N}]/u.exec(sender(header))?.[0] ?? "?").toLocaleUpperCase();
}

export function subject(header) {
  return header.subject.trim() || "(no subject)";
}

/** The day of a mail as a heading: today, yesterday, a weekday, a date. */
export function dayOf(id, nowMs) {
  const days = Math.round((midnight(nowMs) - midnight(receivedMs(id))) / DAY_MS);
  if (days <= 1 && days >= 0) return capital(relative.format(-days, "day"));
  if (days > 0 && days < 7) return weekday.format(receivedMs(id));
  return day.format(receivedMs(id));
}

export function timeOf(id) {
  return time.format(receivedMs(id));
}

export function momentOf(unixMs) {
  return whole.format(unixMs);
}

export function size(bytes) {
  const units = ["B", "kB", "MB", "GB"];
  let value = Number(bytes), unit = 0;
  while (value >= 1000 && unit < 3) {
    value /= 1000;
    unit += 1;
  }
  return `${value >= 10 || !unit ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** A file's name without what would have it read otherwise than it is written; nothing of a path. */
export function fileName(part) {
  const name = part.fileName.replace(DIRECTIONS, "").replace(/[/\\:*?"<>|]/g, "_").replace(/^\.+/, "").trim();
  return name.slice(0, 120) || `part-${part.index}`;
}

/** One of eight colours, the same for the same sender. */
export function hue({ fromAddress, fromName }) {
  let sum = 0;
  for (const each of fromAddress || fromName) sum = Math.imul(sum ^ each.codePointAt(0), 0x01000193) >>> 0;
  return (sum >>> 7) % 8;
}

const TOLD = {
  attachment: ["clip", "with an attachment"], encrypted: ["lock", "encrypted"], invitation: ["date", "an invitation"],
  bounce: ["warning", "could not be delivered"], suspicious: ["warning", "suspicious"], urgent: ["warning", "urgent"],
};

/** What is worth telling of a mail's flags: a drawing's name and words for each. */
export function told(header) {
  return flagNames(header).filter((name) => name in TOLD).map((name) => [name, ...TOLD[name]]);
}

function midnight(unixMs) {
  return new Date(unixMs).setHours(0, 0, 0, 0);
}

function capital(words) {
  return words.charAt(0).toLocaleUpperCase() + words.slice(1);
}
