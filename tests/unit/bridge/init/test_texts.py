from __future__ import annotations

import subprocess
from pathlib import PurePath

import pytest

from bridge.init import texts

PROGRAM = ("/opt/post bell/bin/postbell", "serve", "--config", '/home/al%ice/$x"y.toml')


@pytest.mark.parametrize("text", [texts.service(PROGRAM, PROGRAM), texts.renewal(PROGRAM)])
def test_words_reach_systemds_program_as_they_are(text):
    assert r'''ExecStart="/opt/post bell/bin/postbell" serve --config "/home/al%%ice/$$x\"y.toml"''' in text


def test_the_hook_copies_its_own_certificate_and_no_other(tmp_path):
    hook = tmp_path / "hook"
    lineage = PurePath("/etc/letsencrypt/live/mail.example.org")
    hook.write_text(texts.deploy_hook(lineage, ("echo", "install", "--config", "a b")))
    copied = f"install --config a b {lineage}/fullchain.pem {lineage}/privkey.pem\n"
    for environ, said in (
        ({"RENEWED_LINEAGE": str(lineage)}, copied),
        ({}, copied),
        ({"RENEWED_LINEAGE": "/etc/letsencrypt/live/other.example.org"}, ""),
    ):
        done = subprocess.run(
            ["sh", "-eu", hook], capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin", **environ}
        )
        assert done.stdout == said
