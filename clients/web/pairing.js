// The link that pairs this browser with a device: its secret is behind the `#`, which no server is sent.

import { validName } from "./contract/topics.js";

const ROOT = /^[^#+/\0]+(\/[^#+/\0]+)*$/;

/**
 * The login in a link or in what is behind its `#`, or null.
 *
 * `#pair=` is followed by base64url of JSON in UTF-8: `u` the user, `d` the device, `p` the password, `r` the root of the
 * topics where it is not `mail`.
 */
export function loginIn(link) {
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

/** Take the link out of the address bar and of the history, before anything else; what it was, or "". */
export function takeLink(location, history) {
  const link = location.hash;
  if (!/[#&]pair=/.test(link)) return "";
  history.replaceState(null, "", location.pathname + location.search);
  return link;
}

/** Whether both are of the same device, whose password may be another one by now. */
export function sameDevice(one, other) {
  return ["user", "device", "root"].every((each) => one?.[each] === other?.[each]);
}
