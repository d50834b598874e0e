// clients/web/pairing.js: links that pair, and all the others.
import assert from "node:assert/strict";
import test from "node:test";
import { loginIn, sameDevice, takeLink } from "../../../../clients/web/pairing.js";

const link = (value) => `https://mail.example.org/#pair=${Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url")}`;
const LOGIN = { user: "alice", device: "phone", password: "sécret~", root: "mail" };

test("a link gives its login, whatever stands before the #", () => {
  assert.deepEqual(loginIn(link({ u: "alice", d: "phone", p: "sécret~" })), LOGIN);
  assert.deepEqual(loginIn(`  ${link({ u: "alice", d: "phone", p: "sécret~", more: 1 })}\n`), LOGIN);
  assert.deepEqual(loginIn(link({ u: "a", d: "b", p: "c", r: "x/mail" })).root, "x/mail");
});

test("what is no such link gives nothing", () => {
  for (const wrong of ["", "#pair=", "#pair=!", link("no json"), link("[1]"), link("null"), link({ u: "alice", d: "phone" }), link({ u: "a/b", d: "c", p: "d" }),
    link({ u: "alice", d: "+", p: "d" }), link({ u: "alice", d: "phone", p: 1 }), link({ u: "a", d: "b", p: "" }), link({ u: "a", d: "b", p: "c", r: "#" }),
    link({ u: "a", d: "b", p: "c", r: "x/+" }), "https://x/#mail=00t64ks8n", `https://x/#pair=${Buffer.from([0xff, 0xfe]).toString("base64url")}`]) {
    assert.equal(loginIn(wrong), null, wrong);
  }
});

test("the link leaves the address, and nothing else does", () => {
  const replaced = [];
  const history = { replaceState: (...given) => replaced.push(given) };
  assert.equal(takeLink({ hash: "#mail=00t64ks8n", pathname: "/", search: "" }, history), "");
  assert.deepEqual(replaced, []);
  assert.equal(takeLink({ hash: "#pair=e30", pathname: "/box/", search: "?a" }, history), "#pair=e30");
  assert.deepEqual(replaced, [[null, "", "/box/?a"]]);
});

test("another password is the same device", () => {
  assert.ok(sameDevice(LOGIN, { ...LOGIN, password: "x" }));
  assert.ok(!sameDevice(LOGIN, { ...LOGIN, device: "desk" }));
  assert.ok(!sameDevice(null, LOGIN));
});
