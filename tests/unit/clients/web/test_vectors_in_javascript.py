"""The shared vectors bind the JavaScript decoder; of what nobody wrote it thinks as the reference client does."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import pytest

from clients.contract.digest import decode_digest
from clients.contract.errors import ContractError, UnknownVersionError
from clients.contract.header import decode_header
from clients.contract.requests import decode_recent, decode_reply
from tests.conftest import need

VECTORS = Path(__file__).resolve().parents[3] / "vectors"
PROGRAM = Path(__file__).with_name("vectors_in_javascript.mjs")
FILES = {"header": "headers.json", "digest": "digests.json", "reply": "replies.json", "recent": "replies.json"}
DECODERS = {"header": decode_header, "digest": decode_digest, "reply": decode_reply, "recent": decode_recent}
HOSTILE = {
    "arrays in arrays": b"\x91" * 8192,
    "as many as fit": b"\xdc\x1f\xfd" + b"\xc0" * 8189,
    "four thousand million": b"\xdd\xff\xff\xff\xff" + b"\x01" * 8187,
    "arrays of arrays that are empty": b"\xdc\x1f\xfd" + b"\x90" * 8189,
    "text without an end": b"\x93\x01\x00\xdb\xff\xff\xff\xff",
    "every octet": bytes(range(256)),
    "nothing": b"",
}


def run(*arguments):
    done = subprocess.run(
        [need("node"), PROGRAM, VECTORS, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert not done.stderr
    *wrong, count = done.stdout.splitlines()
    assert not wrong
    return int(count)


def test_every_vector_comes_out_as_written():
    assert run() >= 228


UNUSED = ("code must be", "timestamp", "map key", "unhashable")
"""What msgpack says of extensions and maps that others pass over: the contract has neither."""


def verdict(decoder, payload):
    try:
        DECODERS[decoder](payload)
    except UnknownVersionError:
        return "version"
    except ContractError as error:
        return None if any(each in str(error.__cause__) for each in UNUSED) else "malformed"
    return "read"


def mutated(payload, chance):
    """A payload with an octet changed, taken out, doubled or put in, here and there."""
    changed = bytearray(payload)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(4):
            case 0:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del changed[at : at + chance.randint(1, 4)]
            case 2:
                changed[at:at] = changed[at : at + chance.randint(1, 8)]
            case 3:
                changed[at:at] = bytes([chance.choice(b"\x00\x7f\x90\xa1\xc0\xc3\xc4\xcc\xcf\xd3\xd9\xdc\xff")])
    return bytes(changed)


@pytest.mark.parametrize("seed", range(3))
def test_of_what_nobody_wrote_it_thinks_as_the_reference_client_does(tmp_path, seed):
    chance = random.Random(seed)
    judged = []
    for decoder, file in FILES.items():
        written = [
            bytes.fromhex(each["packed"])
            for each in json.loads((VECTORS / file).read_text("utf-8"))
            if decoder in {"header", "digest", each.get("kind")} and len(each["packed"]) < 2000
        ]
        payloads = [mutated(chance.choice(written), chance) for _ in range(3000)] + [*HOSTILE.values()]
        judged += [(decoder, each.hex(), said) for each in payloads if (said := verdict(decoder, each)) is not None]
    assert {each[2] for each in judged} == {"read", "malformed", "version"}
    where = tmp_path / "judged.json"
    where.write_text(json.dumps(judged))
    assert run(where) >= 11_000
