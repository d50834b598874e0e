"""Having another broker read its login files: by a command, or by a request that somebody takes away."""

from __future__ import annotations

import asyncio

import pytest

from bridge.daemon import reloading as reloading_module
from bridge.daemon.reloading import LoginsUntoldError, Reloading
from tests.support.waiting import until_on_loop


def reloading(directory, *hook):
    return Reloading(hook=hook, directory=directory, broker="mosquitto")


def test_a_command_is_run_without_a_shell(tmp_path):
    file = tmp_path / "a b; c"
    asyncio.run(reloading(tmp_path, "touch", str(file)).ask())
    assert file.exists()


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        (("sh", "-c", "echo it is down >&2; exit 3"), "ended with 3: it is down"),
        (("false",), "ended with 1: it said nothing"),
        (("/no/such/program",), "No such file or directory; mend the key"),
    ],
)
def test_a_command_that_fails_is_told(tmp_path, hook, said):
    with pytest.raises(LoginsUntoldError) as caught:
        asyncio.run(reloading(tmp_path, *hook).ask())
    assert said in str(caught.value)
    assert "mqtt.logins_hook" in str(caught.value)


def test_a_command_that_does_not_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(reloading_module, "HOOK_S", 0.05)
    with pytest.raises(LoginsUntoldError, match="has not ended"):
        asyncio.run(reloading(tmp_path, "sleep", "60").ask())


def test_a_request_is_granted_by_whoever_takes_it_away(tmp_path):
    async def story():
        asking = asyncio.create_task(reloading(tmp_path).ask())
        await until_on_loop((tmp_path / "reload").exists, what="the request")
        assert not asking.done()
        (tmp_path / "reload").unlink()
        await asking

    asyncio.run(story())


def test_a_request_that_nobody_takes_away_is_told_and_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(reloading_module, "GRANTED_S", 0.05)
    with pytest.raises(LoginsUntoldError, match=r"systemctl enable --now postbell-mosquitto\.path"):
        asyncio.run(reloading(tmp_path).ask())
    assert (tmp_path / "reload").exists()


def test_a_directory_that_is_not_there_cannot_hold_a_request(tmp_path):
    with pytest.raises(LoginsUntoldError, match="No such file"):
        asyncio.run(reloading(tmp_path / "absent").ask())
