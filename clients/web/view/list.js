// The list of mails: a row for each, by days, newest first, which is searched, walked through and swiped.

import { button, drawing, element, foreign } from "./dom.js";
import { swipeable } from "./swipe.js";
import { dayOf, hue, initial, sender, subject, timeOf, told } from "./words.js";

/** `seen(id)` is asked when a mail is done with; `mails` are `{ id, header, opened }`, newest first. */
export class List {
  #rows = new Map();
  #mails = [];
  #query = "";
  #current = null;

  constructor({ seen, now = Date.now }) {
    Object.assign(this, { seen, now });
    this.place = element("div", { className: "days" });
  }

  /** Show these; rows that are there already stay, with the focus that they may have. */
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

  /** Which mail is being read. */
  set current(id) {
    this.#current = id;
    for (const [each, { link }] of this.#rows) mark(link, each === id);
  }

  focus(id) {
    const row = this.#rows.get(id) ?? this.#rows.values().next().value;
    row?.link.focus();
  }

  /** The id that has the focus, or null. */
  get focused() {
    return document.activeElement?.closest?.(".row")?.dataset.id ?? null;
  }

  /** The id above (-1) or below (1) another one, as shown; null at the end. */
  beside(id, step) {
    const ids = [...this.place.querySelectorAll(".row")].map((each) => each.dataset.id);
    const at = ids.indexOf(id);
    return ids[at < 0 ? 0 : at + step] ?? null;
  }

  // --- below ------------------------------------------------------------------------------------------------------------

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
