// Web Push: have this device rung while no page is open (docs/protocol.md, "Push").

import { decodePush } from "./contract/requests.js";

/** Browsers whose push service is out of reach never answer. */
export const SUBSCRIBE_MS = 20_000;

/**
 * `ask(operation, args)` asks the bridge, `manager` is the service worker's PushManager, or null where there is none.
 */
export class Push {
  constructor({ ask, manager, timers }) {
    Object.assign(this, { ask, manager, timers });
  }

  /** How the bridge rings this device: `{ key, endpoint, state, reason }`. */
  async report() {
    return decodePush(await this.ask("push"));
  }

  /**
   * Subscribe, unless that is done, and tell the bridge, which is to be done again at each start. What the bridge then says.
   */
  async renew() {
    if (!this.manager) throw new Error("this browser has no Web Push");
    const { key, state } = await this.report();
    if (!key) throw new Error("the mail server has Web Push switched off");
    let subscription = await this.manager.getSubscription();
    if (subscription && (state === "forgotten" || !madeFor(subscription, key))) {
      await subscription.unsubscribe();
      subscription = null;
    }
    subscription ??= await this.#subscribe(key);
    const { endpoint, keys } = subscription.toJSON();
    await this.ask("push", [endpoint, keys.p256dh, keys.auth]);
    return this.report();
  }

  /** Have it rung no more. */
  async end() {
    const subscription = await this.manager?.getSubscription();
    await subscription?.unsubscribe();
    await this.ask("push", [""]);
  }

  #subscribe(key) {
    return new Promise((resolve, reject) => {
      const timer = this.timers.set(
        () => reject(new Error("this browser's push service does not answer; try again later")), SUBSCRIBE_MS);
      this.manager.subscribe({ userVisibleOnly: true, applicationServerKey: octets(key) })
        .then(resolve, reject)
        .finally(() => this.timers.clear(timer));
    });
  }
}

function octets(base64url) {
  return Uint8Array.from(atob(base64url.replace(/-/g, "+").replace(/_/g, "/")), (each) => each.charCodeAt(0));
}

/** Whether a subscription was made for this key; browsers that do not tell are believed. */
function madeFor(subscription, key) {
  const made = subscription.options?.applicationServerKey;
  if (!made) return true;
  const one = new Uint8Array(made), other = octets(key);
  return one.length === other.length && one.every((octet, at) => octet === other[at]);
}
