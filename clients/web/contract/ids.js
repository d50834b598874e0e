// The ids of mails, which carry the moment of arrival (docs/protocol.md, "Message ids").

import { malformed } from "./errors.js";

const DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";
const ID = new RegExp(`^[${DIGITS}]{9}$`);
const EPOCH_MS = Date.UTC(2025, 0, 1);

/** Whether this is the id of a mail: nine digits of lower-case Crockford base32. */
export function validId(text) {
  return typeof text === "string" && ID.test(text);
}

/** When the mail was accepted, in Unix milliseconds. */
export function receivedMs(id) {
  if (!validId(id)) malformed("not a message id");
  let number = 0;
  for (const digit of id) number = number * 32 + DIGITS.indexOf(digit);
  return EPOCH_MS + number;
}
