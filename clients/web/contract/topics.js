// Topics of one user, built and taken apart (docs/protocol.md, "Topics").

import { malformed } from "./errors.js";
import { validId } from "./ids.js";

const NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/;
const VIEWS = new Set(["box", "last", "text", "unread", "event"]);

/** Whether a user or a device may be called so. */
export function validName(name) {
  return NAME.test(name);
}

/** A topic's user, what it is (`msg`, `box`, `re`, …), and the id or device behind it, which may be empty. */
export function parseTopic(root, topic) {
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

/** The topics that one device of one user needs. */
export function mailbox(root, user, device) {
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
