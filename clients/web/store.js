// What this browser keeps: the login, the box, what is still to be told to the bridge, texts for reading offline.
//
// IndexedDB with `durability: "strict"`: a promise that is kept means on disk. Whatever is written by the tab that leads
// is fenced: a tab that was frozen and robbed of the lead can write nothing over what the next one wrote.

const NAME = "postbell", VERSION = 1;

/** Another tab leads. */
export class FencedError extends Error {
  constructor() {
    super("another tab has taken over");
    this.name = "FencedError";
  }
}

/** Open it, and make it if it is not there. */
export async function openStore(name = NAME, factory = indexedDB) {
  const request = factory.open(name, VERSION);
  request.onupgradeneeded = () => {
    const database = request.result;
    database.createObjectStore("facts");
    database.createObjectStore("mails", { keyPath: "id" });
    database.createObjectStore("gone", { keyPath: "id" }).createIndex("at", "at");
    database.createObjectStore("wishes", { keyPath: "id" });
    database.createObjectStore("texts");
  };
  return new Store(await settled(request));
}

export class Store {
  #database;
  #epoch = null;

  constructor(database) {
    this.#database = database;
    database.onversionchange = () => database.close();
  }

  close() {
    this.#database.close();
  }

  // --- any tab ----------------------------------------------------------------------------------------------------------

  /** A fact by its name, or undefined: `login`, `confirmed`, `digest`, `notifications`. */
  fact(name) {
    return this.#read("facts", (store) => store.get(name));
  }

  setFact(name, value) {
    return this.#write(["facts"], ([facts]) => facts.put(value, name));
  }

  /** The mails of the box: `{ id, payload, shown, opened }`, of which the payload may be null. */
  mails() {
    return this.#read("mails", (store) => store.getAll());
  }

  /** What is to be told to the bridge: `{ id, seen }`. */
  wishes() {
    return this.#read("wishes", (store) => store.getAll());
  }

  /** The bridge is to be told that these were seen, or were not after all. */
  wish(ids, seen) {
    return this.#write(["wishes"], ([wishes]) => ids.forEach((id) => wishes.put({ id, seen })));
  }

  /** These wishes came true, unless they are others by now. */
  granted(ids, seen) {
    return this.#write(["wishes"], ([wishes]) => {
      for (const id of ids) {
        const now = wishes.get(id);
        now.onsuccess = () => now.result?.seen === seen && wishes.delete(id);
      }
    });
  }

  /** The mail was opened. */
  opened(id) {
    return this.#write(["mails"], ([mails]) => {
      const found = mails.get(id);
      found.onsuccess = () => found.result && mails.put({ ...found.result, opened: true });
    });
  }

  /** What was read of a mail before, or undefined. */
  text(id) {
    return this.#read("texts", (store) => store.get(id));
  }

  keepText(id, text) {
    return this.#write(["texts", "mails"], ([texts, mails]) => {
      const live = mails.count(id);
      live.onsuccess = () => live.result && texts.put(text, id);
    });
  }

  /** Another login, with nothing of the one before it; null forgets everything. */
  async login(login) {
    await this.#write(["facts", "mails", "gone", "wishes", "texts"], (stores) => {
      stores.forEach((store) => store.clear());
      if (login) stores[0].put(login, "login");
    });
  }

  // --- the tab that leads -----------------------------------------------------------------------------------------------

  /** From now on this tab leads, and whichever did before can write nothing. What is on record: live, gone, digest, … */
  async lead(epoch) {
    await this.setFact("epoch", epoch);
    this.#epoch = epoch;
    return this.recall();
  }

  /** The same again, after a write that failed. */
  async recall() {
    const transaction = this.#database.transaction(["facts", "mails", "gone"]);
    const [facts, mails, gone] = ["facts", "mails", "gone"].map((each) => transaction.objectStore(each));
    const [confirmed, digest, live, went] = await Promise.all(
      [facts.get("confirmed"), facts.get("digest"), mails.getAll(), gone.index("at").getAll()].map(settled));
    return {
      confirmed: confirmed ?? "",
      digest: digest ?? null,
      live: live.map(({ id, shown }) => [id, shown]),
      gone: went.map(({ id, shown }) => [id, shown]),
      at: went.length ? went[went.length - 1].at : 0,
    };
  }

  /** Record changes, as the inbox gives them, in one transaction. `at` counts those that went. */
  commit(changes, at, forgotten = []) {
    return this.#write(["facts", "mails", "gone", "texts"], ([facts, mails, gone, texts]) => {
      for (const change of changes) {
        const { kind, id, payload } = change;
        if (kind === "digest") facts.put(payload, "digest");
        if (kind === "shown" || kind === "live") {
          mails.put({ id, payload, shown: change.kind === "shown" || Boolean(payload), opened: false });
          gone.delete(id);
        }
        if (kind === "gone") {
          mails.delete(id);
          texts.delete(id);
          gone.put({ id, shown: change.shown, at: ++at });
        }
      }
      forgotten.forEach((id) => gone.delete(id));
    }, { fenced: true });
  }

  /** The broker has confirmed the subscription, or, with "", has lost it. */
  confirm(key) {
    return this.#write(["facts"], ([facts]) => facts.put(key, "confirmed"), { fenced: true });
  }

  // --- below ------------------------------------------------------------------------------------------------------------

  #read(name, ask) {
    return settled(ask(this.#database.transaction(name).objectStore(name)));
  }

  #write(names, change, { fenced = false } = {}) {
    return new Promise((resolve, reject) => {
      const transaction = this.#database.transaction(names, "readwrite", { durability: "strict" });
      let why = null;
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(why ?? transaction.error ?? new Error("the browser gave up writing"));
      const run = () => change(names.map((each) => transaction.objectStore(each)));
      if (!fenced) return run();
      const epoch = transaction.objectStore("facts").get("epoch");
      epoch.onsuccess = () => {
        if (epoch.result === this.#epoch) return run();
        why = new FencedError();
        transaction.abort();
      };
    });
  }
}

function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
