"""What the Arduino sketch is made of, compiled for a computer: the vectors, the box, the tap on the wire."""

from __future__ import annotations

import json
import random
import subprocess
import zlib

import pytest

from clients.micropython.postbell import LIVE
from tests.conftest import need
from tests.support import mqtt_client as mqtt
from tests.support.system import ROOT
from tests.unit.clients.micropython.test_box import IDS, Played, digest, header
from tests.unit.clients.micropython.test_vectors_on_board import VECTORS

SKETCH = ROOT / "clients" / "arduino" / "postbell"
FIELDS = ("flags", "from_name", "from_address", "subject", "snippet", "size", "detail", "date")
CUT = {"a string of 256 bytes (str 16)", "invalid: nested 2000 deep", "invalid: larger than 8 KiB"}
"""What does not fit in the sketch's buffer, or is cut to fit on its screen."""


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """Asks the compiled program: its answers to these lines."""
    program = tmp_path_factory.mktemp("host") / "host"
    flags = [
        "-std=c++11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fsanitize=undefined",
        "-fno-sanitize-recover",
        f"-I{SKETCH}",
    ]
    source = ROOT / "tests" / "support" / "arduino_host.cpp"
    subprocess.run([need("g++"), *flags, source, "-o", program], check=True)

    def ask(lines):
        text = "".join(f"{line}\n" for line in lines)
        done = subprocess.run([program], input=text, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout.splitlines()

    return ask


def expected(kind, vector):
    if "error" in vector:
        return vector["error"]
    if kind == "header":
        return "\t".join(str(vector[field]) for field in FIELDS)
    if kind == "digest":
        return f"{vector['live']}\t{vector['check']}\t{vector['newest_id']}"
    size = 0 if vector["status"] else len(vector["bytes"]) // 2
    return (
        "\t".join(str(vector[name]) for name in ("request_id", "status", "offset", "total"))
        + f"\t{size}\t{vector['text']}"
    )


@pytest.mark.parametrize(("kind", "file"), [("header", "headers"), ("digest", "digests"), ("reply", "replies")])
def test_the_vectors_bind_the_sketch(host, kind, file):
    vectors = [
        vector
        for vector in json.loads((VECTORS / f"{file}.json").read_text())
        if vector.get("kind", kind) == kind and vector["name"] not in CUT
    ]
    answers = host(f"{kind} {vector['packed'] or '-'}" for vector in vectors)
    assert len(answers) == len(vectors) > 20
    for vector, answer in zip(vectors, answers, strict=True):
        assert answer == expected(kind, vector), vector["name"]


def test_its_box_does_what_the_other_one_does(host):
    choose, lines, wanted = random.Random(3), [], []
    for _ in range(300):
        played, now = Played(), 0
        lines.append("new")
        wanted.append("- 0 0 0 0")
        for _ in range(choose.randrange(40)):
            seen, healing, mail_id = len(played.shown), False, choose.choice(IDS[:4])
            match choose.choice(["msg", "msg", "gone", "box", "truth", "check", "resumed"]):
                case "msg" | "gone" as what:
                    retained, payload = choose.random() < 0.5, choose.choice([header("x"), header("x"), b"\xc1", None])
                    payload = b"" if what == "gone" else payload
                    played.box.header(mail_id, payload, retained, now)
                    packed = "!" if payload is None else payload.hex() or "-"
                    lines.append(f"msg {mail_id} {int(retained)} {packed} {now}")
                case "box" | "truth" as what:
                    some = played.live() if what == "truth" else sorted(choose.sample(IDS[:4], choose.randrange(5)))
                    played.box.heard(digest(some), now)
                    lines.append(f"box {digest(some).hex()} {now}")
                case "resumed":
                    played.box.resumed(now)
                    lines.append(f"resumed {now}")
                case _:
                    now += choose.choice([500, 4000, 10_000, 70_000])
                    healing = played.box.check(now)
                    lines.append(f"check {now}")
            wanted.append(state(played, seen, healing))
            if healing:
                played.box.subscribed(now)
                lines.append(f"subscribed {now}")
                wanted.append(state(played, len(played.shown), False))
    for line, answer, right in zip(lines, host(lines), wanted, strict=True):
        assert answer == right, line


def state(played, seen, healing):
    shown = "".join(f"{each}," for each in played.shown[seen:]) or "-"
    check = 0
    for each in played.memory.ids(LIVE):
        check ^= zlib.crc32(each.encode())
    agrees = played.box.agrees(played.box.digest)
    return f"{shown} {played.memory.count[LIVE]} {check} {int(agrees)} {int(healing)}"


def test_the_tap_sees_what_pubsubclient_hides(host):
    long = mqtt.publish("mail/alice/msg/00t64ks8n", b"x" * 5000, qos=1, packet_id=513)
    told = (
        b"\x20\x02\x01\x00"
        + mqtt.publish("mail/alice/box", b"\x91\x01", qos=1, packet_id=65_535, retain=True)
        + long
        + b"\xd0\x00\x90\x04\x80\x01\x01\x80"
        + mqtt.puback(7)
    )
    events = (
        "connack 1 0;publish mail/alice/box 65535 1 0;publish mail/alice/msg/00t64ks8n 513 0 1;"
        "pingresp;suback 32769 128;other;"
    )
    assert host([f"tap {told.hex()}"]) == [events]
