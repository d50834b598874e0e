"""The whole way with other people's programs: Postfix hands over a mail, mosquitto brings it to a device over TLS."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import need
from tests.integration.test_mta_postfix import started
from tests.support.machine import run
from tests.support.outside import OutsideSystem
from tests.support.system import Subscriber
from tests.support.waiting import until

MAIL = b"From: Carol <carol@example.net>\nTo: bob@example.org\nSubject: rings over TLS\n\nHello\n"


@pytest.fixture
def directory():
    """A directory that Postfix may enter; only root can run it."""
    if os.geteuid() != 0:
        pytest.skip("needs root to start a mail server")
    made = Path(tempfile.mkdtemp(prefix="postbell-mosquitto-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def certificate(directory):
    """A certificate for localhost that vouches for itself, and its key."""
    chain, key = directory / "chain.pem", directory / "key.pem"
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    subprocess.run(
        [need("openssl"), *new, *names, "-keyout", key, "-out", chain], check=True, stderr=subprocess.DEVNULL
    )
    return {"certificate": str(chain), "key": str(key)}


def test_a_mail_that_postfix_takes_rings_on_a_device_at_mosquitto_over_tls(directory):
    listens = {"POSTBELL_LMTP__LISTEN": f"unix:{directory}/lmtp", "POSTBELL_LMTP__SOCKET_MODE": "0666"}
    pem = certificate(directory)
    place: Any = SimpleNamespace(directory=directory)
    with (
        OutsideSystem(directory, "mosquitto", **pem, **listens) as system,
        started(place) as postfix,
    ):
        system.start("bridge")
        system.wait_connected()
        script = system.run("setup", "postfix", "--directory", str(postfix.etc)).stdout
        run("sh", "-e", "-x", input=script.encode())
        login = system.asked("device", "add", "bob", "phone")
        with Subscriber(
            need("mosquitto_sub"),
            port=system.broker.tls_port,
            filters=["mail/bob/text"],
            output=directory / "heard",
            options=["-u", login["username"], "-P", login["password"], "-i", "phone", "--cafile", pem["certificate"]],
        ) as phone:
            postfix.inject(MAIL, "bob@example.org")
            until(
                lambda: any(b"rings over TLS" in payload for *_, payload in phone.received()), what="the phone to ring"
            )
            until(lambda: not postfix.queued(), what="an empty queue")
