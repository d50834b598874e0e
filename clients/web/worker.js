// The service worker, as the page has it; what it does itself is in sw.js.

/** `open(hash)` is called when somebody taps on a notification, `renewed()` when another version has taken its place. */
export class PageWorker {
  registration = null;
  /** Settled when it works, or when there will be none: a private window has none, and why.js says so. */
  ready = null;

  constructor({ open, renewed }) {
    Object.assign(this, { open, renewed });
  }

  get active() {
    return Boolean(this.registration?.active);
  }

  /** Begin with `script`, the trusted address of sw.js. */
  start(script) {
    const container = navigator.serviceWorker;
    if (!container) return null;
    const controlled = Boolean(container.controller);
    container.addEventListener("message", ({ data }) => {
      if (data?.kind === "open" && data.hash) this.open(data.hash);
    });
    container.addEventListener("controllerchange", () => controlled && this.renewed());
    this.ready = container.register(script)
      .then(() => container.ready)
      .then((registration) => (this.registration = registration))
      .catch(() => null);
    return this.ready;
  }

  /** Have it do something, if it is there. */
  post(message) {
    this.registration?.active?.postMessage(message);
  }
}
