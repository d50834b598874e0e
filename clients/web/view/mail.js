// One mail: who, when, what; its text, its HTML in a cell, its attachments.

import { flagNames } from "../contract/header.js";
import { receivedMs } from "../contract/ids.js";
import { decodeParts } from "../contract/requests.js";
import { decodeHtml } from "../html.js";
import { button, drawing, element, foreign } from "./dom.js";
import { fileName, hue, initial, momentOf, sender, size, subject, told } from "./words.js";

const LINK = /\bhttps?:\/\/[^\s<>"'`\u0000-\u001f\u200b-\u200f\u202a-\u202e\u2066-\u2069]{3,2000}/g;
const BEHIND = /[.,;:!?)\]}»”’*_]+$/;
const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

/**
 * `mail` is what is shown, `{ id, header }`. `fetch(operation, args, progress)` asks the bridge, `kept(id)` gives a text
 * that was read before, `keep(id, text)` keeps it; `shelve(id, html)` gives the address for a frame.
 */
export class Mail {
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

  /** Fetch what there is to read. */
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

  /** The mail as its sender has laid it out, and back. */
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
      // without a sandbox attribute, or the service worker is not asked: its answer has the sandbox
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

  /** As a download, and never as a page: its bytes would have our origin. */
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

/** A paragraph, in which addresses of pages can be followed, and are what they say. */
export function paragraph(text) {
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
