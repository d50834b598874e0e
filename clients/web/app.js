// The page of a device: what its parts are, and how they are put together.

import { link } from "./arrival.js";
import { Device } from "./box/device.js";
import { decodeHeader, isSilent } from "./contract/header.js";
import { receivedMs } from "./contract/ids.js";
import { shelve, unshelve } from "./html.js";
import { loginIn, sameDevice } from "./pairing.js";
import { Push } from "./push.js";
import { openStore } from "./store.js";
import { Tabs } from "./tabs.js";
import { element } from "./view/dom.js";
import { Page } from "./view/page.js";
import { sender, subject } from "./view/words.js";
import { another, welcome } from "./view/welcome.js";

/** A device that was away rings for what came within the last hour, and shows the rest without a sound. */
const RINGS_MS = 3_600_000;
/** So many at once ring one by one, and more than that together. */
const RING_EACH = 3;

const place = document.getElementById("page");
const timers = { set: setTimeout.bind(null), clear: clearTimeout.bind(null), now: () => performance.now() };
const standalone = matchMedia("(display-mode: standalone)").matches || navigator.standalone === true;
const ios = /iPhone|iPad|iPod/.test(navigator.userAgent) || (/Mac/.test(navigator.platform) && navigator.maxTouchPoints > 1);
const trusted = globalThis.trustedTypes?.createPolicy("postbell", {
  createHTML: (html) => html, // for a parser whose document nothing shows or runs (html.js)
  createScriptURL: (url) => {
    if (url !== "sw.js") throw new TypeError("not a script of ours");
    return url;
  },
});

class App {
  #store;
  #login;
  #registration = null;
  #state = { name: "connecting", reason: "", retryMs: 0, bridge: true };
  #report;
  #undone = new Map(); // mails that were seen and are not after all, until they are back in the box
  #refreshing = null;

  async start() {
    this.#store = await openStore();
    const login = loginIn(link), before = await this.#store.fact("login");
    new BroadcastChannel("postbell-login").onmessage = () => location.reload();
    if (login && before && !sameDevice(login, before)) {
      return place.replaceChildren(another({ login, before, choose: (yes) => void this.#choose(yes ? login : before, before) }));
    }
    if (login && !before) await this.#store.login(login);
    if (login && before && login.password !== before.password) await this.#store.setFact("login", login).then(() => this.#changed());
    this.#login = login ?? before;
    void this.#work();
    if (!this.#login) return place.replaceChildren(welcome({ pair: (each) => void this.#choose(each, null), ios, standalone }));
    this.#run();
  }

  async #choose(login, before) {
    if (login !== before) await this.#store.login(login).then(() => unshelve());
    this.#changed();
    location.reload();
  }

  /** All other tabs begin anew. */
  #changed() {
    const channel = new BroadcastChannel("postbell-login");
    channel.postMessage("changed");
    channel.close();
  }

  #run() {
    this.page = new Page({ place, box: this });
    this.tabs = new Tabs({
      lead: () => this.#lead(), visible: () => document.visibilityState === "visible", timers,
      heard: (kind, value) => this.#heard(kind, value),
    });
    this.act = {
      allow: () => this.#allow(), test: () => this.#test(), silence: () => this.#silence(), forget: () => this.#forget(),
      connect: () => this.tabs.ask("connect").then(() => "Trying."),
    };
    this.page.state(this.#state);
    void this.page.refresh();
    this.tabs.start();
    const look = () => (this.tabs.look(), void this.#refresh());
    for (const what of ["visibilitychange", "resume"]) document.addEventListener(what, look);
    for (const what of ["online", "pageshow", "focus"]) addEventListener(what, look);
    void this.#renew();
  }

  /** This tab leads: the device is here. */
  async #lead() {
    await this.#store.lead(crypto.randomUUID?.() ?? String(Math.random()));
    const url = new URL("mqtt", document.baseURI);
    url.protocol = url.protocol.replace("http", "ws");
    const device = new Device({
      store: this.#store, login: this.#login, url: url.href, timers,
      open: (to) => new WebSocket(to, ["mqtt"]), tell: (kind, value) => this.tabs.tell(kind, value),
    });
    await device.start();
    return {
      get now() {
        return device.now;
      },
      close: () => device.close(),
      wake: () => device.wake(),
      ask: async (operation, args, progress) => {
        if (operation === "connect") return device.reconnect();
        if (operation === "wishes") return device.grantWishes();
        return device.fetch(operation, args, progress);
      },
    };
  }

  #heard(kind, value) {
    if (kind === "state") {
      this.#state = value;
      this.page.state(value);
    } else if (kind === "box") void this.#refresh();
    else if (kind === "came") void this.#came(value);
    else if (kind === "gone") this.#gone(value);
    else if (kind === "older") this.page.toast.show("Some mail is of a newer kind than this page knows. Load it again, or tell whoever runs the server.", null, 0);
    else if (kind === "failed") this.page.toast.show(`This browser does not keep anything: ${value}.`, null, 0);
  }

  // --- what the page asks -----------------------------------------------------------------------------------------------

  /** The mails to be shown, newest first. */
  async mails() {
    const [rows, wishes, digest] = await Promise.all([this.#store.mails(), this.#store.wishes(), this.#store.fact("digest")]);
    const done = new Set(wishes.filter((each) => each.seen).map((each) => each.id));
    const mails = new Map(this.#undone);
    for (const { id, payload, opened } of rows) {
      this.#undone.delete(id);
      if (payload && !done.has(id)) mails.set(id, { id, opened, payload: payload.length, header: decodeHeader(payload) });
    }
    for (const id of done) mails.delete(id);
    if (this.tabs?.leads) void navigator.setAppBadge?.(mails.size).catch(() => {});
    return { mails: [...mails.values()].sort((one, other) => (one.id < other.id ? 1 : -1)), loaded: digest !== undefined };
  }

  async seen(mails) {
    for (const { id } of mails) this.#undone.delete(id);
    await this.#wish(mails, true);
  }

  async unseen(mails) {
    for (const mail of mails) this.#undone.set(mail.id, mail);
    await this.#wish(mails, false);
  }

  /** On record first, whoever leads, and in whichever connection. */
  async #wish(mails, seen) {
    await this.#store.wish(mails.map((each) => each.id), seen);
    this.tabs.tell("box");
    this.tabs.ask("wishes").catch(() => {});
  }

  opened = (id) => this.#store.opened(id);
  kept = (id) => this.#store.text(id);
  keep = (id, text) => this.#store.keepText(id, text).catch(() => {});
  fetch = (operation, args, progress) => this.tabs.ask(operation, args, progress);
  shelve = (id, html) => shelve(id, html, (each) => trusted?.createHTML(each) ?? each);

  facts() {
    return {
      state: this.#state, permission: globalThis.Notification?.permission ?? "denied", standalone, ios, secure: isSecureContext,
      worker: Boolean(this.#registration?.active), push: this.#report, login: this.#login,
    };
  }

  /** Ask the bridge how it rings. */
  async ask() {
    this.#report = await this.#push.report().catch((error) => error);
    this.page.learned();
  }

  /** Many changes, one look. */
  async #refresh() {
    if (this.#refreshing) return void (this.#refreshing.again = true);
    this.#refreshing = { again: false };
    try {
      await this.page.refresh();
    } finally {
      const { again } = this.#refreshing;
      this.#refreshing = null;
      if (again) void this.#refresh();
    }
  }

  // --- ringing ----------------------------------------------------------------------------------------------------------

  get #push() {
    const manager = this.#registration?.pushManager ?? null;
    return new Push({ manager, timers, ask: (operation, args = []) => this.tabs.ask(operation, args) });
  }

  async #came(mails) {
    this.page.came(mails);
    if (!this.tabs.leads || globalThis.Notification?.permission !== "granted") return;
    const ring = mails.filter(({ id, header }) => !isSilent(header) && Date.now() - receivedMs(id) < RINGS_MS);
    const each = ring.length <= RING_EACH ? ring : ring.slice(-1);
    for (const { id, header } of each) {
      const title = ring.length === each.length ? sender(header) : `${ring.length} new mails`;
      const body = ring.length === each.length ? subject(header) : `The newest is from ${sender(header)}: ${subject(header)}`;
      this.#registration?.active?.postMessage({ kind: "ring", notification: { title, body, tag: id, navigate: `./#mail=${id}` } });
    }
  }

  #gone(ids) {
    if (!this.tabs.leads) return;
    this.#registration?.active?.postMessage({ kind: "gone", ids });
    void unshelve(ids);
  }

  async #allow() {
    if ((await Notification.requestPermission()) !== "granted") return "The browser does not allow it.";
    await this.#store.setFact("rings", true);
    void navigator.storage?.persist?.(); // some browsers ask for it, too
    this.#report = await this.#push.renew();
    return "From now on it rings, also while this page is closed.";
  }

  async #test() {
    await this.#registration.showNotification("Postbell rings", {
      body: "If you see this and hear nothing, look at the sound of the browser and of the phone.", tag: "test", icon: "icon-192.png", badge: "badge.png",
    });
    return "A notification was shown. If you did not see one, the system hides those of this browser: look at its settings.";
  }

  async #silence() {
    await this.#store.setFact("rings", false);
    await this.#push.end();
    this.#report = await this.#push.report();
    return "It does not ring while this page is closed.";
  }

  /** Registrations vanish, here and at the bridge: what is wanted is said again at each start. */
  async #renew() {
    await this.#working;
    if (!(await this.#store.fact("rings")) || globalThis.Notification?.permission !== "granted") return;
    this.#report = await this.#push.renew().catch((error) => error);
    this.page.learned();
  }

  async #forget() {
    await this.#silence().catch(() => {});
    await Promise.all([this.#store.login(null), unshelve()]);
    this.#changed();
    location.reload();
  }

  // --- the service worker -----------------------------------------------------------------------------------------------

  #working = null;

  #work() {
    const container = navigator.serviceWorker;
    if (!container) return null;
    const controlled = Boolean(container.controller);
    container.addEventListener("message", ({ data }) => {
      if (data?.kind === "open" && data.hash) location.hash = data.hash;
    });
    container.addEventListener("controllerchange", () => {
      if (controlled) this.page?.toast.show("There is a new version of this page.", { label: "Load it", run: () => location.reload() }, 0);
    });
    this.#working = container.register(trusted?.createScriptURL("sw.js") ?? "sw.js")
      .then(() => container.ready)
      .then((registration) => {
        this.#registration = registration;
        this.page?.learned();
      })
      .catch(() => {}); // a private window has none; why.js says so
    return this.#working;
  }
}

new App().start().catch((error) => {
  place.replaceChildren(element("main", { className: "alone" }, element("h1", {}, "Postbell"),
    element("p", {}, `This browser does not let the page keep anything: ${error.message}. Private windows often do not.`)));
});
