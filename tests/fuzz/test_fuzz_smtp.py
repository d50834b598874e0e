"""Random dialogues: whatever is sent, the replies are well-formed, no defect shows, and packets do not matter.

Each case is played twice over real sockets, cut into packets differently; replies and kept mails must
be the same. A case is a function of `--fuzz-seed` and its number, so a failure names what repeats it;
its dialogue is written to `regressions/smtp/`, where every run starts. No case may hold the event loop
for more than 0.1 s, or grow memory by more than 50 MB.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bridge.ingress import SessionLimits, Trust
from tests.fuzz.test_fuzz_mail import CLEAR, MEGABYTES_PER_INPUT, TRIES, resident
from tests.support.abused_ingress import Turns
from tests.support.ingress import Running, told

if TYPE_CHECKING:
    from collections.abc import Iterator

WHOLE = [
    b"EHLO client.example\r\n",
    b"LHLO c\r\n",
    b"HELO c\r\n",
    b"MAIL FROM:<a@example.net>\r\n",
    b"MAIL FROM:<> SIZE=10 BODY=8BITMIME\r\n",
    b"RCPT TO:<alice@example.org>\r\n",
    b"RCPT TO:<nobody@example.org>\r\n",
    b"RCPT TO:<quota@example.org>\r\n",
    b'RCPT TO:<@x:"b>\\" b"@example.org> NOTIFY=NEVER\r\n',
    b"DATA\r\n",
    b"\r\n.\r\n",
    b".\r\n",
    b"RSET\r\n",
    b"NOOP\r\n",
    b"VRFY alice\r\n",
    b"HELP\r\n",
    b"AUTH PLAIN\r\n",
    b"AUTH LOGIN YQ==\r\n",
    b"AUTH LOGIN\r\nYQ==\r\nYg==\r\n",
    b"MAIL FROM: Front Door <cam@example.net> SIZE=3\r\n",
    b'MAIL FROM:<"Front > Door" (at <home) < cam @ example.net>> \r\n',
    b"RCPT TO:<<alice@example.org>>\r\n",
    b"STARTTLS\r\n",
    b"BDAT 3 LAST\r\nabc",
    b"QUIT\r\n",
]
BITS = [
    b"\r",
    b"\n",
    b"\r\n",
    b".",
    b"..",
    b" ",
    b":",
    b"<",
    b">",
    b"@",
    b'"',
    b"\\",
    b"\0",
    b"\xff",
    b"x" * 5000,
    b"=",
    b"[",
    b"MAIL",
    b"DATA",
]
REPLY = re.compile(
    rb"(220 mx\.example E?S?L?MTP Postbell|250[ -](mx\.example|[A-Z0-9]+( \d+)?|AUTH PLAIN LOGIN)"
    rb"|334 [A-Za-z0-9=]*|354 [ -~]+|[245]\d\d [245]\.\d{1,3}\.\d{1,3} [ -~]+)\r\n"
)
FRAME = b"\r\n.\r\nQUIT\r\n"
LIMITS = SessionLimits(errors=8, commands=60)
TRUST = Trust(any_login=True)
REGRESSIONS = Path(__file__).parent / "regressions" / "smtp"


def dialogue(chance: random.Random) -> bytes:
    """Commands in a likely order, with some left out, repeated, cut, or spoilt."""
    parts = [chance.choice(WHOLE[:3])] if chance.random() < 0.8 else []
    for _ in range(chance.randint(1, 12)):
        kind = chance.random()
        if kind < 0.3:
            parts += [WHOLE[3], WHOLE[5], WHOLE[9], bits(chance), b"\r\n.\r\n"]
        elif kind < 0.8:
            parts.append(chance.choice(WHOLE))
        elif kind < 0.9:
            parts.append(spoilt(chance, chance.choice(WHOLE)))
        else:
            parts.append(bits(chance))
    said = b"".join(parts) + FRAME
    if chance.random() < 0.3:
        said = said.replace(b"\r\n", b"\n") + FRAME
    return said + FRAME


def bits(chance: random.Random) -> bytes:
    return b"".join(chance.choices(BITS, k=chance.randint(0, 12)))


def spoilt(chance: random.Random, line: bytes) -> bytes:
    at = chance.randrange(len(line))
    return line[:at] + bits(chance) + line[at + chance.randint(0, 2) :]


def packets(chance: random.Random, data: bytes) -> Iterator[bytes]:
    while data:
        cut = chance.choice([1, 2, 3, 7, 50, 1000, 100_000])
        yield data[:cut]
        data = data[cut:]


async def played(running: Running, listener: str, pieces: Iterator[bytes]) -> tuple[bytes, list[object]]:
    """All that was replied up to the end of the connection, and what was kept meanwhile."""
    before = len(running.intake.accepted)
    wire = await running.dial(listener)
    replies = asyncio.create_task(wire.reader.read())
    try:
        for piece in pieces:
            await wire.send(piece)
            await asyncio.sleep(0)
        wire.writer.write_eof()
        answer = await asyncio.wait_for(replies, 10)
    except ConnectionError:
        answer = await asyncio.wait_for(asyncio.shield(replies), 10)
    await wire.close()
    kept = zip(running.intake.accepted[before:], running.intake.contents[before:], strict=True)
    return answer, [(mail.sender, mail.recipients, content) for mail, content in kept]


def judge(answer: bytes, seed: str) -> None:
    for line in answer.splitlines(keepends=True):
        assert REPLY.fullmatch(line), f"{seed}: {line!r}"
        assert not line.startswith((b"451 4.3.0", b"421 4.3.0", b"421 4.4.2")), f"{seed}: {line!r}"
    assert answer.splitlines()[-1][:3] in {b"221", b"421"}, f"{seed}: {answer[-200:]!r}"


async def tried(running: Running, listener: str, data: bytes, chance: random.Random, name: str) -> None:
    """Play a dialogue in one piece and in packets."""
    CLEAR.write_text("5")
    before, turns = resident("VmRSS"), Turns()
    longest: list[float] = []
    while len(longest) < TRIES and min(longest, default=999) > 100:
        whole = await played(running, listener, iter([data]))
        judge(whole[0], name)
        longest.append(turns.take())
    turns.stop()
    assert min(longest) <= 100, name
    assert resident("VmHWM") - before <= MEGABYTES_PER_INPUT, name
    assert await played(running, listener, packets(chance, data)) == whole, name
    running.intake.accepted.clear()
    running.intake.contents.clear()


@pytest.mark.parametrize("listener", ["smtp", "lmtp"])
@pytest.mark.parametrize("path", sorted(REGRESSIONS.iterdir()), ids=lambda path: path.name)
def test_a_dialogue_that_once_went_wrong_goes_right(tmp_path, path, listener):
    async def story(running: Running) -> None:
        for seed in range(3):
            await tried(running, listener, path.read_bytes(), random.Random(seed), f"{path.name}-{seed}")

    told(tmp_path, story, limits=LIMITS, trust=TRUST)


@pytest.mark.fuzz
@pytest.mark.parametrize("listener", ["smtp", "lmtp"])
def test_any_dialogue_is_answered_the_same_however_it_is_cut(tmp_path, request, listener):
    seconds = request.config.getoption("--fuzz-seconds") / 2
    seed = request.config.getoption("--fuzz-seed")

    async def story(running: Running) -> None:
        end, number = time.monotonic() + seconds, 0
        while time.monotonic() < end or number < 20:
            name = f"{listener}-{seed}-{number}"
            chance = random.Random(name)
            data = dialogue(chance)
            try:
                await tried(running, listener, data, chance, name)
            except Exception:
                (REGRESSIONS / f"{name}.txt").write_bytes(data)
                raise
            number += 1

    told(tmp_path, story, limits=LIMITS, trust=TRUST)
