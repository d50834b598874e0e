// A few words at the bottom for a few seconds, with something to do about it; and words that are only spoken.

import { button, element } from "./dom.js";

export class Toast {
  #place;
  #timer = null;
  #undo = null;

  constructor(place) {
    this.#place = place;
    for (const what of ["pointerenter", "focusin"]) place.addEventListener(what, () => clearTimeout(this.#timer));
  }

  /** `action` is `{ label, run }`, or null. `ms` is 0 for what stays. */
  show(words, action = null, ms = 10_000) {
    clearTimeout(this.#timer);
    this.#undo = action?.run ?? null;
    const act = action && button(action.label, null, () => this.act(), { worded: true, className: "plain" });
    this.#place.replaceChildren(element("div", { className: "toast" }, element("span", { role: "status" }, words), act,
      button("Close", "close", () => this.hide())));
    if (ms) this.#timer = setTimeout(() => this.hide(), ms);
  }

  /** Do what is offered, if something is; whether it was. */
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

/** Have a screen reader say this when it has said what it is saying. */
export function speak(words) {
  document.getElementById("spoken").textContent = words;
}
