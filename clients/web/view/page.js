// The whole of the page: bar, list, and what is opened beside or above it; keys, addresses behind the `#`, what is spoken.

import { button, drawing, element } from "./dom.js";
import { List } from "./list.js";
import { Mail } from "./mail.js";
import { Toast, speak } from "./toast.js";
import { Why } from "./why.js";
import { sender, subject } from "./words.js";

const OPENED = /^#mail=([0-9a-z]{9})$/;

/**
 * `box` gives and changes what is shown: `mails()`, `seen(ids)`, `unseen(ids)`, `opened(id)`, `fetch`, `kept`, `keep`,
 * `shelve`, `facts()`, `act`.
 */
export class Page {
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

  /** What is on record has changed. */
  async refresh() {
    const { mails, loaded } = await this.box.mails();
    this.#mails = mails;
    this.list.show(mails, loaded);
    this.count.textContent = mails.length ? String(mails.length) : "";
    this.title(mails.length ? `(${mails.length}) Postbell` : "Postbell");
    if (location.hash !== this.#route || (this.#pane === null && OPENED.test(location.hash))) await this.#show();
  }

  /** The connection is otherwise. */
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

  /** Mail has come. */
  came(mails) {
    const { header } = mails[mails.length - 1];
    speak(mails.length === 1 ? `New mail from ${sender(header)}: ${subject(header)}` : `${mails.length} new mails`);
  }

  /** Something is better known than before. */
  learned() {
    if (this.#pane instanceof Why) this.#pane.render();
  }

  /** Done with a mail: away at once, and back if that is undone. */
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

  // --- what is opened ---------------------------------------------------------------------------------------------------

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

  // --- keys and search --------------------------------------------------------------------------------------------------

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
