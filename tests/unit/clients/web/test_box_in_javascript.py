"""The box in JavaScript changes as the reference client's does, whatever comes, in whichever order."""

from __future__ import annotations

import json
import random
import subprocess
import zlib
from pathlib import Path

import msgpack
import pytest

from clients.box.inbox import DigestHeard, Gone, Inbox, Live, Shown, Skipped
from clients.box.memory import Memory
from tests.conftest import need

PROGRAM = Path(__file__).with_name("played_inbox.mjs")
IDS = [f"00t64ks8{each}" for each in "nprst"]
HEADERS = [msgpack.packb([1, 0, "Ada", "ada@example.org", subject]) for subject in ("one", "two")]
UNREADABLE = [msgpack.packb([2]), b"\x00", b"\xff"]


def digest_of(ids):
    check = 0
    for each in ids:
        check ^= zlib.crc32(each.encode())
    return msgpack.packb([1, len(ids), check, max(ids)] if ids else [1])


def a_story(chance):
    """What a broker may say, with losses and repetitions, and what a device does; moments in milliseconds."""
    now, steps, live = 0, [], set()
    for _ in range(chance.randint(5, 40)):
        now += chance.choice([0, 250, 500, 4000, 4250, 61_000])  # what a float has exactly
        each = chance.choice(IDS)
        match chance.randrange(8):
            case 0 | 1 | 2:
                payload = chance.choice(HEADERS if chance.random() < 0.9 else UNREADABLE)
                live.add(each)
                steps.append(["header", now, each, payload.hex(), chance.random() < 0.4])
            case 3:
                live.discard(each)
                steps.append(["header", now, each, "", False])
            case 4:
                said = {one for one in IDS if (one in live) != (chance.random() < 0.15)}
                steps.append(["digest", now, digest_of(said).hex()])
            case 5:
                steps.append(["digest", now, chance.choice(["", "91", "9102", "940101aa00", digest_of(live).hex()])])
            case 6:
                steps.append(["check", now])
            case 7:
                steps.append(["subscribed", now])
    return steps


def told(change):
    match change:
        case Shown(mail_id, _, payload):
            return ["shown", mail_id, payload.hex()]
        case Live(mail_id):
            return ["live", mail_id]
        case Gone(mail_id, shown):
            return ["gone", mail_id, shown]
        case DigestHeard(digest):
            return ["digest", digest.newest_id]
        case Skipped(_, other_version):
            return ["skipped", other_version]


def played(story):
    """The same by the reference client."""
    memory = Memory()
    inbox = Inbox(memory, digest=None, now=0.0)
    seen = []
    for step, now_ms, *rest in story:
        now = now_ms / 1000
        changes, asked = [], []
        match step:
            case "header":
                changes = inbox.apply_header(rest[0], bytes.fromhex(rest[1]), retained=rest[2], now=now)
            case "digest":
                changes = inbox.apply_digest(bytes.fromhex(rest[0]), now=now)
            case "check":
                asked = [["check", inbox.check(now)]]
            case "subscribed":
                inbox.subscribed(now)
        due_at = inbox.due_at()
        seen.append(
            [[*map(told, changes), *asked], inbox.agrees, due_at and round(due_at * 1000), inbox.live, len(memory.gone)]
        )
    return seen


@pytest.mark.parametrize("seed", range(2))
def test_it_changes_as_the_reference_clients_box_does(tmp_path, seed):
    chance = random.Random(seed)
    stories = [a_story(chance) for _ in range(1500)]
    file = tmp_path / "stories.json"
    file.write_text(json.dumps(stories))
    done = subprocess.run([need("node"), PROGRAM, file], capture_output=True, text=True, check=True, timeout=120)
    kinds = set()
    for story, line in zip(stories, done.stdout.splitlines(), strict=True):
        expected = played(story)
        assert json.loads(line) == expected, story
        kinds |= {change[0] for step in expected for change in step[0]}
    assert kinds == {"shown", "live", "gone", "digest", "skipped", "check"}
