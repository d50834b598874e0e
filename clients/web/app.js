// The page of a device: what its parts are, and how they are put together.

import { link } from "./arrival.js";
import { Bell } from "./bell.js";
import { Device } from "./box/device.js";
import { shelve, unshelve } from "./html.js";
import { Mails } from "./mails.js";
import { loginIn, sameDevice } from "./pairing.js";
import { openStore } from "./store.js";
import { Tabs } from "./tabs.js";
import { element } from "./view/dom.js";
import { Page } from "./view/page.js";
import { another, welcome } from "./view/welcome.js";
import { PageWorker } from "./worker.js";

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
  #worker;
  #mails;
  #bell;
  #state = { name: "connecting", reason: "", retryMs: 0, bridge: true };
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
    this.#worker = new PageWorker({
      open: (hash) => (location.hash = hash),
      renewed: () => this.page?.toast.show("There is a new version of this page.", { label: "Load it", run: () => location.reload() }, 0),
    });
    void this.#worker.start(trusted?.createScriptURL("sw.js") ?? "sw.js")?.then(() => this.page?.learned());
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
    this.#mails = new Mails({ store: this.#store, timers, tell: () => void this.#refresh() });
    const bell = this.#bell = new Bell({ store: this.#store, worker: this.#worker, timers, ask: (operation, args) => this.tabs.ask(operation, args) });
    this.act = {
      allow: () => bell.allow(), test: () => bell.test(), silence: () => bell.silence(), forget: () => this.#forget(),
      connect: () => this.tabs.ask("connect").then(() => "Trying."),
    };
    this.page.state(this.#state);
    void this.page.refresh();
    this.tabs.start();
    const look = () => (this.tabs.look(), void this.#refresh());
    for (const what of ["visibilitychange", "resume"]) document.addEventListener(what, look);
    for (const what of ["online", "pageshow", "focus"]) addEventListener(what, look);
    void bell.renew().then(() => this.page.learned());
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
    else if (kind === "came") this.#came(value);
    else if (kind === "gone") this.#gone(value);
    else if (kind === "older") this.page.toast.show("Some mail is of a newer kind than this page knows. Load it again, or tell whoever runs the server.", null, 0);
    else if (kind === "failed") this.page.toast.show(`This browser does not keep anything: ${value}.`, null, 0);
  }

  // --- what the page asks -----------------------------------------------------------------------------------------------

  /** The mails to be shown, newest first. */
  async mails() {
    const listed = await this.#mails.list();
    if (this.tabs?.leads) void navigator.setAppBadge?.(listed.mails.length).catch(() => {});
    return listed;
  }

  seen = (mails) => this.#mark(mails, true);
  unseen = (mails) => this.#mark(mails, false);

  async #mark(mails, seen) {
    await this.#mails.mark(mails, seen);
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
      worker: this.#worker.active, push: this.#bell?.report, login: this.#login,
    };
  }

  /** Ask the bridge how it rings. */
  async ask() {
    await this.#bell.look();
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

  // --- what happened ----------------------------------------------------------------------------------------------------

  #came(mails) {
    this.page.came(mails);
    if (this.tabs.leads) this.#bell.came(mails);
  }

  #gone(ids) {
    if (!this.tabs.leads) return;
    this.#bell.gone(ids);
    void unshelve(ids);
  }

  async #forget() {
    await this.#bell.silence().catch(() => {});
    await Promise.all([this.#store.login(null), unshelve()]);
    this.#changed();
    location.reload();
  }
}

new App().start().catch((error) => {
  place.replaceChildren(element("main", { className: "alone" }, element("h1", {}, "Postbell"),
    element("p", {}, `This browser does not let the page keep anything: ${error.message}. Private windows often do not.`)));
});
