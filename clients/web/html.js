// A mail's HTML on its way to its cell: a response of the service worker under a policy of its own, which holds alone.
//
// What is taken out here is taken out for looks and good measure: links that fetch ahead, frames that stay empty.

const BODIES = "bodies";
const TAKEN_OUT = "script, link, meta, base, iframe, frame, frameset, object, embed, applet, form, input, button, textarea, " +
  "select, audio, video, source, track, portal, template";
const LOOKS = "html{color-scheme:light;background:#fff}body{margin:16px;font:16px/1.5 system-ui,sans-serif;color:#111;" +
  "overflow-wrap:anywhere}img{max-width:100%;height:auto}pre{white-space:pre-wrap}table{max-width:100%}";

/** Bytes of `text/html` as text: in UTF-8 if they are, else in the charset that the markup names, else as most are. */
export function decodeHtml(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    const start = new TextDecoder("latin1").decode(bytes.subarray(0, 4096));
    const named = /charset\s*=\s*["']?([\w-]{1,40})/i.exec(start)?.[1] ?? "windows-1252";
    try {
      return new TextDecoder(named).decode(bytes);
    } catch {
      return new TextDecoder("windows-1252").decode(bytes);
    }
  }
}

/** Put a mail's HTML where the service worker finds it; the address for the frame. `trusted` makes it a TrustedHTML. */
export async function shelve(id, html, trusted) {
  if (!globalThis.caches) throw new Error("this address is not secure, and needs https for that");
  const page = new DOMParser().parseFromString(trusted(html), "text/html"); // nothing in it runs or is fetched
  for (const each of page.querySelectorAll(TAKEN_OUT)) each.remove();
  for (const link of page.querySelectorAll("a[href], area[href]")) {
    link.setAttribute("target", "_blank");
    link.setAttribute("rel", "noopener noreferrer nofollow");
    link.removeAttribute("ping");
  }
  const looks = page.createElement("style");
  looks.textContent = LOOKS;
  page.head.prepend(looks);
  const path = new URL(`body/${id}`, document.baseURI).pathname;
  const cache = await caches.open(BODIES);
  await cache.put(path, new Response(`<!doctype html>${page.documentElement.outerHTML}`));
  return path;
}

/** Forget the HTML of these mails, or of all. */
export async function unshelve(ids = null) {
  if (!globalThis.caches) return;
  if (ids === null) return void (await caches.delete(BODIES));
  const cache = await caches.open(BODIES);
  await Promise.all(ids.map((id) => cache.delete(new URL(`body/${id}`, document.baseURI).pathname)));
}
