"""An attachment over MQTT with the real bridge, through a link that is slow and keeps dropping."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import random
import sys

from tests.crash.proxy import Proxy
from tests.support.system import ROOT, System

PLAN = random.Random(1).randbytes(800_000)
MAIL = (
    b"From: Ada <ada@example.net>\r\nSubject: plan\r\nMessage-ID: <plan@x>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSee the drawing.\r\n"
    b"--b\r\nContent-Type: image/png; name=plan.png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(PLAN).replace(b"\n", b"\r\n")
    + b"--b--\r\n"
)


def half_saved(directory):
    """Bytes of the attachment that are on disk; 0 when it has its name already."""
    with contextlib.suppress(FileNotFoundError):
        return sum(part.stat().st_size for part in directory.glob(".plan.png*"))
    return 0


def test_an_attachment_is_saved_exactly(tmp_path):
    with System(tmp_path) as system:
        login = system.add("alice")
        system.serve()
        mail_id = system.send(MAIL, "alice@example.org")
        target = tmp_path / "plan.png"

        async def save():
            link = Proxy(lambda: ("127.0.0.1", system.mqtt_port()))
            await link.start()
            link.delay = 0.03
            command = [sys.executable, "-m", "bridge", "read", "alice/phone", mail_id, "--part", "1"]
            process = await asyncio.create_subprocess_exec(
                *command,
                *(
                    "--url",
                    f"mqtt://127.0.0.1:{link.port}",
                    "--output",
                    str(target),
                    "--state",
                    str(tmp_path / "phone"),
                ),
                env=system.environment | {"PYTHONPATH": str(ROOT), "POSTBELL_PASSWORD": login["password"]},
                cwd=tmp_path,
                stderr=asyncio.subprocess.PIPE,
            )
            ended = asyncio.create_task(process.communicate())
            cut_at = 0
            while not ended.done():
                await asyncio.wait({ended}, timeout=0.005)
                here = half_saved(tmp_path)
                if here >= cut_at + 100_000:
                    cut_at = here
                    link.cut()
            await link.close()
            return process.returncode, (await ended)[1], link.cuts

        code, complaints, cuts = asyncio.run(save())
        assert code == 0, complaints
        assert target.read_bytes() == PLAN
        assert cuts >= 2, "it was cut off again and again"
        log = [json.loads(line) for line in (tmp_path / "serve.log").read_text().splitlines() if line.startswith("{")]
        asked = [line for line in log if line["event"] == "request_answered" and line["operation"] == "part"]
        assert len(asked) < 60, "it went on from where it had got to"
