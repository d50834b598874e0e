// Ringing: by this page while it is open, by Web Push while it is not.

import { isSilent } from "./contract/header.js";
import { receivedMs } from "./contract/ids.js";
import { Push } from "./push.js";
import { sender, subject } from "./view/words.js";

/** A device that was away rings for what came within the last hour, and shows the rest without a sound. */
const RINGS_MS = 3_600_000;
/** So many at once ring one by one, and more than that together. */
const RING_EACH = 3;

/**
 * `ask(operation, args)` asks the bridge, `worker` has the service worker's registration, once there is one, and `store`
 * whether somebody wants to be rung. `report` is what the bridge last said of it, or why it did not.
 */
export class Bell {
  #store;
  #ask;
  #worker;
  #timers;
  report;

  constructor({ store, ask, worker, timers }) {
    this.#store = store;
    this.#ask = ask;
    this.#worker = worker;
    this.#timers = timers;
  }

  /** These mails have come: they ring, unless somebody looks. */
  came(mails) {
    if (globalThis.Notification?.permission !== "granted") return;
    const ring = mails.filter(({ id, header }) => !isSilent(header) && Date.now() - receivedMs(id) < RINGS_MS);
    const each = ring.length <= RING_EACH ? ring : ring.slice(-1);
    for (const { id, header } of each) {
      const title = ring.length === each.length ? sender(header) : `${ring.length} new mails`;
      const body = ring.length === each.length ? subject(header) : `The newest is from ${sender(header)}: ${subject(header)}`;
      this.#worker.post({ kind: "ring", notification: { title, body, tag: id, navigate: `./#mail=${id}` } });
    }
  }

  /** These rang, maybe, and need not any more. */
  gone(ids) {
    this.#worker.post({ kind: "gone", ids });
  }

  /** Ask how it rings. */
  async look() {
    this.report = await this.#push.report().catch((error) => error);
  }

  async allow() {
    if ((await Notification.requestPermission()) !== "granted") return "The browser does not allow it.";
    await this.#store.setFact("rings", true);
    void navigator.storage?.persist?.(); // some browsers ask for it, too
    this.report = await this.#push.renew();
    return "From now on it rings, also while this page is closed.";
  }

  async test() {
    await this.#worker.registration.showNotification("Postbell rings", {
      body: "If you see this and hear nothing, look at the sound of the browser and of the phone.", tag: "test", icon: "icon-192.png", badge: "badge.png",
    });
    return "A notification was shown. If you did not see one, the system hides those of this browser: look at its settings.";
  }

  async silence() {
    await this.#store.setFact("rings", false);
    await this.#push.end();
    this.report = await this.#push.report();
    return "It does not ring while this page is closed.";
  }

  /** Registrations vanish, here and at the bridge: what is wanted is said again at each start, by one tab at a time. */
  async renew() {
    await this.#worker.ready;
    if (!(await this.#store.fact("rings")) || globalThis.Notification?.permission !== "granted") return;
    const renewed = () => this.#push.renew();
    const locks = navigator.locks;
    this.report = await (locks ? locks.request("postbell-push", renewed) : renewed()).catch((error) => error);
  }

  get #push() {
    return new Push({ manager: this.#worker.registration?.pushManager ?? null, timers: this.#timers, ask: (operation, args = []) => this.#ask(operation, args) });
  }
}
