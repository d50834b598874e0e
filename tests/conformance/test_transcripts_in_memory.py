"""The transcripts again, of a session without a socket, a task or a clock, in one piece and byte by byte."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from bridge.ingress.lmtp import LMTP
from bridge.ingress.smtp import SMTP
from bridge.spool import Spool
from tests.support.ingress import Recorder, Running, Wire, play
from tests.support.memory_session import MemoryWire

if TYPE_CHECKING:
    from bridge.ingress.session import Dialect

TRANSCRIPTS = Path(__file__).parent / "transcripts"
ALL = [
    pytest.param(dialect, path, id=f"{path.parent.name}-{path.stem}")
    for dialect, folder in ((SMTP, "smtp"), (LMTP, "lmtp"))
    for path in sorted((TRANSCRIPTS / folder).glob("*.txt"))
]


class Drip(MemoryWire):
    """The same, a byte at a time."""

    async def send(self, data: bytes) -> None:
        for byte in data:
            await super().send(bytes([byte]))


@pytest.mark.parametrize("kind", [MemoryWire, Drip])
@pytest.mark.parametrize(("dialect", "transcript"), ALL)
def test_a_session_in_memory_answers_as_written(dialect: Dialect, transcript: Path, kind: Any, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    recorder = Recorder(spool=spool)
    running = Running(cast("Any", None), recorder, spool)
    wire = kind(dialect, recorder, spool)
    asyncio.run(play(transcript.read_text(encoding="utf-8"), running, cast("Wire", wire)))
    spool.close()


def test_all_transcripts_are_there():
    assert len(ALL) == len(list(TRANSCRIPTS.rglob("*.txt"))) >= 21
