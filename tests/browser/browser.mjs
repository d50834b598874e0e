// A browser that is told by lines of JSON what to do, and answers each with one line: `{"is": value}` or `{"error": text}`.
//
//     node browser.mjs chromium|firefox PROGRAM PROFILE PREFERENCES
import { readFileSync } from "node:fs";
import readline from "node:readline";
import puppeteer from "puppeteer-core";

const [kind, program, profile, preferences] = process.argv.slice(2);
const FIREFOX = {
  "dom.push.connection.enabled": false, "datareporting.policy.dataSubmissionEnabled": false, "app.update.enabled": false,
  "permissions.default.desktop-notification": 1, "alerts.useSystemBackend": false,
};
// What each page counts, before anything of ours runs in it: its WebSockets.
const COUNTED = `
  globalThis.sockets = [];
  globalThis.WebSocket = class extends WebSocket { constructor(...given) { super(...given); globalThis.sockets.push(this); } };
`;
const browser = await puppeteer.launch({
  browser: kind === "firefox" ? "firefox" : "chrome",
  executablePath: program,
  userDataDir: profile,
  headless: true,
  acceptInsecureCerts: true,
  protocolTimeout: 240_000,
  args: kind === "firefox" ? [] : ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--host-resolver-rules=MAP plain.example 127.0.0.1"],
  ...(kind === "firefox" ? { extraPrefsFirefox: { ...FIREFOX, ...JSON.parse(preferences) } } : {}),
});
const tabs = new Map(), contexts = new Map();
let number = 0;

const orders = {
  pid: () => browser.process().pid,
  /** A place of its own within the browser, as a private window has it: cookies, databases, service workers. */
  async context() {
    contexts.set((number += 1), await browser.createBrowserContext());
    return number;
  },
  async leave({ context }) {
    for (const [tab, { page }] of tabs) if (page.browserContext() === contexts.get(context)) tabs.delete(tab);
    await contexts.get(context).close();
    contexts.delete(context);
    return null;
  },
  async open({ url, size, dark, touch, before, context }) {
    const page = await (contexts.get(context) ?? browser).newPage();
    const tab = (number += 1);
    const said = [], failed = [];
    page.on("console", (message) => said.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => failed.push(String(error)));
    tabs.set(tab, { page, said, failed });
    await page.evaluateOnNewDocument(COUNTED + (before ?? ""));
    if (size) await page.setViewport({ width: size[0], height: size[1], deviceScaleFactor: size[2] ?? 1, hasTouch: Boolean(touch), isMobile: Boolean(touch) && kind !== "firefox" });
    if (dark !== undefined && kind !== "firefox") await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]);
    await page.goto(url, { waitUntil: "load", timeout: 120_000 });
    return tab;
  },
  goto: ({ page, url }) => page.goto(url, { waitUntil: "load", timeout: 120_000 }).then(() => null),
  back: ({ page }) => page.goBack({ timeout: 120_000 }).then(() => null),
  reload: ({ page }) => page.reload({ waitUntil: "load", timeout: 120_000 }).then(() => null),
  front: ({ page }) => page.bringToFront().then(() => null),
  run: ({ page, script }) => page.evaluate(`(async () => { ${script} })()`),
  async until({ page, script, ms }) {
    const end = Date.now() + ms;
    for (;;) {
      const asked = `(async () => { ${script} })().then((value) => value instanceof Node || value)`;
      const value = await page.evaluate(asked).catch((error) => {
        if (/context|detached|navigat|destroyed|discarded/i.test(String(error))) return null;
        throw error;
      });
      if (value) return value;
      if (Date.now() > end) throw new Error(`in vain: ${script}; on the page: ${await page.evaluate("document.body.innerText").catch(String)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  },
  text: ({ page, selector }) => page.$eval(selector, (each) => each.innerText),
  click: ({ page, selector }) => page.locator(selector).setTimeout(60_000).click().then(() => null),
  type: ({ page, selector, text }) => page.type(selector, text).then(() => null),
  async press({ page, keys }) {
    for (const key of keys) await page.keyboard.press(key);
    return null;
  },
  async swipe({ page, selector, by }) {
    const box = await (await page.waitForSelector(selector)).boundingBox();
    const y = box.y + box.height / 2, x = box.x + box.width / 2;
    await page.touchscreen.touchStart(x, y);
    for (let step = 1; step <= 8; step++) await page.touchscreen.touchMove(x + (by * step) / 8, y);
    await page.touchscreen.touchEnd();
    return null;
  },
  shot: ({ page, path }) => page.screenshot({ path }).then(() => null),
  async frames({ page, script }) {
    const found = [];
    for (const frame of page.frames()) found.push({ url: frame.url(), is: script ? await frame.evaluate(script).catch(String) : null });
    return found;
  },
  /** Click on something in the frame of a mail. */
  async inside({ page, selector }) {
    const frame = page.frames().find((each) => each.url().includes("/body/"));
    const found = frame && (await frame.$(selector));
    const enough = new Promise((resolve) => setTimeout(resolve, 3_000));
    await Promise.race([found?.click().catch(() => {}), enough]); // a page behind another one is never done with it
    return Boolean(found);
  },
  /** As slow as a network may be, for as long as the tab is open: Chromium's `Network.emulateNetworkConditions`. */
  async throttle({ page, net }) {
    const client = await page.createCDPSession();
    await client.send("Network.enable");
    await client.send("Network.emulateNetworkConditions", net);
    return null;
  },
  async cdp({ page, method, parameters }) {
    const client = await page.createCDPSession();
    const answer = await client.send(method, parameters ?? {});
    return answer;
  },
  /** As a push service would, which needs no page. */
  async push({ page, data }) {
    const client = await page.createCDPSession();
    const registration = new Promise((resolve) => client.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) =>
      registrations.forEach((each) => page.url().startsWith(each.scopeURL) && resolve(each.registrationId))));
    await client.send("ServiceWorker.enable");
    await client.send("ServiceWorker.deliverPushMessage", { origin: new URL(page.url()).origin, registrationId: await registration, data });
    await client.detach();
    return null;
  },
  /** Tap on the notification that is shown. */
  async tapped({ page }) {
    const target = await browser.waitForTarget((each) =>
      each.type() === "service_worker" && each.browserContext() === page.browserContext(), { timeout: 60_000 });
    const worker = await target.worker();
    await worker.evaluate(`(async () => {
      const [notification] = await self.registration.getNotifications();
      self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
    })()`);
    return null;
  },
  async axe({ page }) {
    await page.evaluate(readFileSync(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8"));
    const { violations } = await page.evaluate(
      "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })");
    return violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.map((each) => each.html + " " + (each.any[0]?.message ?? "")) }));
  },
  said: ({ tab }) => tabs.get(tab).said.concat(tabs.get(tab).failed),
  async close({ page, tab }) {
    tabs.delete(tab);
    await page.close();
    return null;
  },
  async grant({ page, permissions }) {
    await page.browserContext().overridePermissions(new URL(page.url()).origin, permissions);
    return null;
  },
  quit: () => browser.close().then(() => null),
};

const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
say({ is: "ready" });
for await (const line of readline.createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  try {
    say({ is: (await orders[order.do]({ ...order, page: tabs.get(order.tab)?.page })) ?? null });
  } catch (error) {
    say({ error: String(error?.stack ?? error) });
  }
  if (order.do === "quit") break;
}
process.exit(0);
