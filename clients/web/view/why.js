// Why does nothing ring? Each thing that must hold, whether it does, and what to do where it does not.

import { button, drawing, element } from "./dom.js";

const STATES = {
  new: "it has not been used yet", ok: "the last one was delivered",
  failing: "the push service takes nothing",
};

/** What is known, as `[holds, what, cure]` for each thing, of which `holds` is true, false or null where nobody knows. */
export function checks({ state, permission, standalone, ios, secure, worker, push, login }) {
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

/** The page. `facts()` gives what is known now, and `act` has what its buttons do. */
export class Why {
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
