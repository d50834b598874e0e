"""`postbell bench` beside an installation: it measures, counts, and touches nothing of it."""

from __future__ import annotations

import asyncio
import json

import pytest

from bridge.bench.receiving import NotConnectedError, receiver
from bridge.bench.sending import NotTakenError, letters, senders
from tests.support.system import System
from tests.support.waiting import free_port


@pytest.fixture
def installation(tmp_path):
    with System(tmp_path) as system:
        system.add("alice")
        yield system


def content(directory):
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_it_measures_on_a_scratch_and_leaves_the_installation_as_it_was(installation):
    before = content(installation.state_dir)
    report = json.loads(installation.run("bench", "--mails", "20", "--connections", "3", "--json").stdout)
    counted = report["counted"]
    assert counted == {
        **dict.fromkeys(("offered", "accepted", "kept", "acknowledged", "received"), 60),
        "twice": 0,
        "waiting": 0,
    }
    assert report["directory"] == str(installation.state_dir)
    assert report["throughput"]["accepted_a_second"] > 0
    assert report["throughput"]["bridge_ms"] > report["throughput"]["broker_ms"] > 0
    assert (report["idle"]["mails"], report["half_load"]["mails"]) == (20, 20)
    assert content(installation.state_dir) == before


def test_people_read_rate_latency_and_cost(installation):
    told = installation.run("bench", "--mails", "10").stdout
    assert "all 30 of three steps arrived, each once" in told
    for line in ("kept, 250", "on the device", "processor a mail", "end of data → 250", "250 → device"):
        assert f"\n{line}" in told


def test_a_configuration_that_takes_no_such_mail_gives_no_figure(installation):
    installation.environment["POSTBELL_SMTP__MAX_SIZE"] = "2K"
    done = installation.run("bench", "--mails", "10", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the listener answered '552 5.3.4" in done.stderr


def test_a_listener_or_a_broker_that_is_not_there_is_told():
    nobody = ("127.0.0.1", free_port())

    async def tried(connecting):
        async with connecting:
            raise AssertionError

    with pytest.raises(NotTakenError, match=f"127.0.0.1:{nobody[1]}"):
        asyncio.run(tried(senders(nobody, 1)))
    with pytest.raises(NotConnectedError, match=f"127.0.0.1:{nobody[1]}"):
        asyncio.run(tried(receiver(nobody, "mail/#", ("", ""))))


def test_letters_are_as_long_as_they_are_to_be_and_all_different():
    made = list(letters(3, 4096, to="a@example.org", run="x"))
    assert len(set(made)) == 3
    assert all(3900 < len(letter) <= 4096 for letter in made)
