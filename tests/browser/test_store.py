"""What the page keeps: synced before it says so, and by the tab that leads alone. Its modules, in a real IndexedDB."""

from __future__ import annotations

import pytest

OPEN = """
  const { openStore } = await import("/store.js");
  const begin = IDBDatabase.prototype.transaction;
  const asked = [];
  IDBDatabase.prototype.transaction = function (names, mode, options) {
    if (mode === "readwrite") asked.push(options?.durability);
    return begin.call(this, names, mode, options);
  };
  const one = await openStore("of a test"), other = await openStore("of a test");
  const bytes = (...octets) => Uint8Array.from(octets);
"""


@pytest.fixture
def page(person, browser):
    return browser.open(person.url)


def test_whoever_was_robbed_of_the_lead_writes_nothing_any_more(page):
    wrong, mails, gone = page.run(
        OPEN
        + """
      await one.lead("one");
      await one.commit([{ kind: "shown", id: "00t64ks8n", payload: bytes(1) }], 0);
      await other.lead("other");
      const wrong = await one.commit([{ kind: "gone", id: "00t64ks8n", shown: true }], 0).catch((error) => error.name);
      const too = await one.confirm("x").catch((error) => error.name);
      await other.commit([{ kind: "shown", id: "00t64ks8p", payload: bytes(2) }], 0);
      const { live, gone } = await other.recall();
      return [[wrong, too], live, gone];
    """
    )
    assert wrong == ["FencedError", "FencedError"]
    assert mails == [["00t64ks8n", True], ["00t64ks8p", True]]
    assert gone == []


def test_what_is_written_is_synced_and_read_again(page):
    told = page.run(
        OPEN
        + """
      await one.lead("one");
      await one.commit([
        { kind: "digest", payload: bytes(0x91, 1) },
        { kind: "shown", id: "00t64ks8n", payload: bytes(1) },
        { kind: "live", id: "00t64ks8p", payload: null },
        { kind: "shown", id: "00t64ks8r", payload: bytes(3) },
        { kind: "skipped", reason: "" },
      ], 0);
      await one.confirm("key");
      await one.opened("00t64ks8n");
      await one.opened("00t64ks8z");
      await one.keepText("00t64ks8r", "text");
      await one.keepText("00t64ks8z", "of no mail");
      const went = { kind: "gone", shown: false };
      await one.commit([{ ...went, id: "00t64ks8s" }, { ...went, id: "00t64ks8r", shown: true }], 0);
      await one.wish(["00t64ks8n", "00t64ks8p"], true);
      await one.wish(["00t64ks8p"], false);
      await one.granted(["00t64ks8n", "00t64ks8p"], true);
      const first = await other.recall();
      await one.commit([{ kind: "live", id: "00t64ks8r", payload: bytes(3) }], 2, ["00t64ks8s"]);
      const then = await other.recall();
      return {
        strict: asked.every((each) => each === "strict") && asked.length,
        live: first.live, gone: first.gone, at: first.at, confirmed: first.confirmed, digest: [...first.digest],
        opened: (await one.mails()).map((each) => each.opened), wishes: await other.wishes(),
        texts: [await one.text("00t64ks8r"), await one.text("00t64ks8z")].map((each) => each ?? null),
        back: then.live.length, left: then.gone,
      };
    """
    )
    assert told.pop("strict") >= 10
    assert told == {
        "live": [["00t64ks8n", True], ["00t64ks8p", False]],
        "gone": [["00t64ks8s", False], ["00t64ks8r", True]],
        "at": 2,
        "confirmed": "key",
        "digest": [0x91, 1],
        "opened": [True, False, False],
        "wishes": [{"id": "00t64ks8p", "seen": False}],
        "texts": [None, None],
        "back": 3,
        "left": [],
    }


def test_another_login_knows_nothing_of_the_one_before(page):
    told = page.run(
        OPEN
        + """
      await one.lead("one");
      await one.commit([{ kind: "shown", id: "00t64ks8n", payload: bytes(1) }], 0);
      await one.login({ user: "bob" });
      return [await one.fact("login"), await one.mails(), (await one.recall()).confirmed];
    """
    )
    assert told == [{"user": "bob"}, [], ""]
