// clients/web/view/words.js, and what is read of HTML before it is shown.
import assert from "node:assert/strict";
import test from "node:test";
import { decodeHtml } from "../../../../clients/web/html.js";
import { dayOf, fileName, hue, sender, size, subject, told } from "../../../../clients/web/view/words.js";

const header = { flags: 0, fromName: "", fromAddress: "", subject: " ", snippet: "", size: 0, detail: "", date: null };

test("who sent it and what it is about are never empty", () => {
  assert.equal(sender({ ...header, fromName: "Ada" }), "Ada");
  assert.equal(sender({ ...header, fromAddress: "a@b" }), "a@b");
  assert.equal(sender(header), "(unknown sender)");
  assert.equal(subject(header), "(no subject)");
});

test("sizes have as many digits as one wants to read", () => {
  assert.deepEqual([0, 999, 1000, 12_345, 7_000_000, 3n * 10n ** 9n].map(size), ["0 B", "999 B", "1.0 kB", "12 kB", "7.0 MB", "3.0 GB"]);
});

test("a file's name is what it looks like, and no path", () => {
  const named = (name) => fileName({ fileName: name, index: 3 });
  assert.equal(named("report.pdf"), "report.pdf");
  assert.equal(named("a\u202efdp.exe"), "afdp.exe");
  assert.equal(named("../../etc/passwd"), "_.._etc_passwd");
  assert.equal(named("..."), "part-3");
  assert.equal(named(""), "part-3");
  assert.equal(named("x".repeat(500)).length, 120);
});

test("days have names while they are near", () => {
  const noon = new Date(2026, 10, 28, 12).getTime();
  const id = (unixMs) => {
    let number = unixMs - Date.UTC(2025, 0, 1), text = "";
    for (let place = 0; place < 9; place++, number = Math.floor(number / 32)) text = "0123456789abcdefghjkmnpqrstvwxyz"[number % 32] + text;
    return text;
  };
  assert.equal(dayOf(id(noon), noon), "Today");
  assert.equal(dayOf(id(noon - 86_400_000), noon), "Yesterday");
  assert.equal(dayOf(id(noon - 3 * 86_400_000), noon), "Wednesday");
  assert.match(dayOf(id(noon - 30 * 86_400_000), noon), /2026/);
});

test("flags that matter are told, and colours do not change", () => {
  assert.deepEqual(told({ ...header, flags: 1 + 8 + 512 }).map(([name]) => name), ["attachment", "suspicious"]);
  assert.equal(hue({ ...header, fromAddress: "a@b" }), hue({ ...header, fromName: "x", fromAddress: "a@b" }));
});

test("HTML is read in UTF-8, in what it says, or as most of it is", () => {
  assert.equal(decodeHtml(new TextEncoder().encode("<p>é")), "<p>é");
  assert.equal(decodeHtml(Uint8Array.from([...Buffer.from('<meta charset="iso-8859-7">'), 0xe1])), '<meta charset="iso-8859-7">α');
  assert.equal(decodeHtml(Uint8Array.from([0xe9])), "é");
  assert.equal(decodeHtml(Uint8Array.from([...Buffer.from("<meta charset=nonsense>"), 0xe9])), "<meta charset=nonsense>é");
});
