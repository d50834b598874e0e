// The service worker: keeps the page for when there is no network, shows HTML bodies in a cell of their own, and rings.

// Written by `make map`, from the files themselves: another version is fetched and takes the place of this one.
const VERSION = "237a40d93e8f08b7";
const FILES = ["./", "app.css", "icon.svg", "manifest.webmanifest", "postbell.js"];

const PAGE = `page-${VERSION}`, BODIES = "bodies";
const BELOW = new URL("./", self.location).pathname;
// No script, no network, no form, and an origin of its own: what a mail's HTML may do is be read, and link elsewhere.
const CELL = {
  "Content-Type": "text/html; charset=utf-8",
  "Content-Security-Policy":
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-DNS-Prefetch-Control": "off",
  "Cache-Control": "no-store",
};

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(caches.open(PAGE).then((cache) =>
    cache.addAll(FILES.map((file) => new Request(file, { cache: "no-cache" })))));
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    const names = await caches.keys();
    await Promise.all(names.filter((name) => name.startsWith("page-") && name !== PAGE).map((name) => caches.delete(name)));
    await self.clients.claim();
  })());
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== self.location.origin || !url.pathname.startsWith(BELOW)) return;
  const path = url.pathname.slice(BELOW.length);
  if (path.startsWith("body/")) event.respondWith(body(url));
  else if (path === "" || path === "index.html") event.respondWith(kept("./", event.request));
  else if (FILES.includes(path)) event.respondWith(kept(path, event.request));
});

async function kept(file, request) {
  const cache = await caches.open(PAGE);
  return (await cache.match(file)) ?? fetch(request);
}

/** What the page has put aside for its frame. */
async function body(url) {
  const cache = await caches.open(BODIES);
  const found = await cache.match(url.pathname);
  return new Response(found ? await found.text() : "This page of a mail is not here any more.", { headers: CELL });
}

// --- ringing ------------------------------------------------------------------------------------------------------------

// Declarative Web Push (docs/protocol.md, "Push"): some browsers show it by themselves, the others leave it to us.
self.addEventListener("push", (event) => {
  event.waitUntil(pushed(event.data));
});

async function pushed(data) {
  let told = {};
  try {
    told = data?.json() ?? {};
  } catch {
    // what cannot be read still says that there is mail
  }
  if (Number.isInteger(told?.app_badge)) await self.navigator.setAppBadge?.(told.app_badge).catch(() => {});
  await ring(told?.notification ?? {});
}

function ring({ title, body: words, tag, navigate }) {
  return self.registration.showNotification(String(title || "New mail"), {
    body: words === undefined ? undefined : String(words),
    tag: tag === undefined ? "mail" : String(tag),
    icon: "icon-192.png",
    badge: "badge.png",
    dir: "auto",
    data: { navigate: String(navigate ?? "./") },
  });
}

self.addEventListener("message", (event) => {
  const { kind, notification, ids } = event.data ?? {};
  if (kind === "ring") event.waitUntil(ringUnseen(notification));
  if (kind === "gone") event.waitUntil(close(ids));
});

/** The page was told of mail, and acknowledged it: nobody else rings. Where somebody looks at it, that is enough. */
async function ringUnseen(notification) {
  const pages = await self.clients.matchAll({ type: "window" });
  if (!pages.some((page) => page.visibilityState === "visible")) await ring(notification);
}

async function close(ids) {
  for (const notification of await self.registration.getNotifications()) {
    if (ids.includes(notification.tag)) notification.close();
  }
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data?.navigate ?? "./"));
});

/** Only a page of ours is opened, whatever was pushed. */
async function open(navigate) {
  const wanted = new URL(navigate, self.registration.scope);
  const url = new URL(`./${wanted.hash}`, self.registration.scope).href;
  for (const page of await self.clients.matchAll({ type: "window" })) {
    if (new URL(page.url).pathname.startsWith(BELOW + "body/")) continue;
    page.postMessage({ kind: "open", hash: wanted.hash });
    return page.focus();
  }
  return self.clients.openWindow(url);
}

// Where the browser itself makes another subscription, the page sends it at its next start.
