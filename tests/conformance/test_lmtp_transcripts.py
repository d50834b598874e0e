"""LMTP as readable transcripts, each named after the clause it shows (see `tests/support/ingress.py`: play)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.ingress import Running, play, told

pytestmark = pytest.mark.usefixtures("wherever")

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts" / "lmtp").glob("*.txt"))


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_lmtp_as_written(transcript, tmp_path):
    async def story(running: Running) -> None:
        wire = await running.dial("lmtp")
        await play(transcript.read_text(encoding="utf-8"), running, wire)
        await wire.close()

    told(tmp_path, story)
