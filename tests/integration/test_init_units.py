"""The units that `postbell init` writes, as systemd itself reads them."""

from __future__ import annotations

import subprocess

from bridge.init import texts
from tests.conftest import need


def test_systemd_can_read_the_units(tmp_path):
    program = need("systemd-analyze")
    serve = (need("true"), "serve")
    units = {
        "postbell.service": texts.service(serve, serve),
        "postbell-certificate.service": texts.renewal(serve),
        "postbell-certificate.timer": texts.TIMER,
    }
    for name, text in units.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [program, "verify", "--user", *(tmp_path / name for name in units)],
        capture_output=True,
        text=True,
        check=False,
        env={"XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert [line for line in done.stderr.splitlines() if "postbell" in line] == []
