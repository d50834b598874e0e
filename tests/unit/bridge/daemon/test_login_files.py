"""The login files of another broker: written when they differ, and read; logins that go are seen off."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from bridge.daemon import login_files as login_files_module
from bridge.daemon.login_files import LoginFiles
from bridge.daemon.reloading import LoginsUntoldError
from bridge.errors import RefusedError, StoreUnavailableError
from bridge.kept import MqttLogin
from bridge.setup import mosquitto
from tests.support.waiting import until_on_loop

ALICE, BOB = (MqttLogin(f"{name}.phone", "device", f"$7${name}", f"$2a${name}") for name in ("alice", "bob"))
OLD = MqttLogin("old.phone", "device", "", "")


class World:
    """The store, the broker and the bridge's own password, as far as the files have to do with them."""

    def __init__(self, directory):
        self.directory = directory / "logins"
        self.directory.mkdir()
        self.logins, self.number, self.own_changed = [ALICE, BOB], 1, False
        self.asked = 0
        self.reloads, self.dismissed, self.trouble, self.refused = 0, [], None, False
        self.passwords_when_read = ""
        self.files = self.made()

    def made(self, *, lock=None, **more):
        return LoginFiles(
            **more,
            form=mosquitto,
            directory=self.directory,
            lock=lock or self.directory.parent / "run" / "logins.lock",
            root="mail",
            own=self.own,
            revision=self.revision,
            read=self.read,
            reload=self.reload,
            dismiss=self.dismiss,
        )

    async def own(self):
        changed, self.own_changed = self.own_changed, False
        return changed

    async def revision(self):
        return self.number

    async def read(self):
        return self.logins

    async def reload(self):
        self.asked += 1
        if self.trouble:
            raise self.trouble
        self.reloads += 1
        self.passwords_when_read = self.text()

    async def dismiss(self, username, password):
        if self.refused:
            raise RefusedError(f"{username}: not authorised")
        self.dismissed.append((username, len(password) > 20))

    def text(self, name="passwords"):
        return (self.directory / name).read_text()


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def bring(world):
    return asyncio.run(world.files.bring_up_to_date())


def test_they_are_written_and_read_and_the_next_time_there_is_nothing_to_do(world):
    assert bring(world) == []
    assert world.text() == "alice.phone:$7$alice\nbob.phone:$7$bob\n"
    assert world.text("acl").startswith("user alice.phone\n")
    assert {path.stat().st_mode & 0o777 for path in world.directory.iterdir()} == {0o640}
    before = {path: path.stat().st_ino for path in world.directory.iterdir()}
    bring(world)
    assert {path: path.stat().st_ino for path in world.directory.iterdir()} == before
    assert world.reloads == 1


def test_whoever_comes_next_does_not_trust_that_they_were_read(world):
    bring(world)
    world.files = world.made()
    bring(world)
    assert world.reloads == 2


def test_of_several_who_keep_them_the_next_has_read_what_one_wrote_who_died(world):
    unread = world.directory / ".unread"
    world.files, other = world.made(unread=unread), world.made(unread=unread)
    bring(world)
    asyncio.run(other.bring_up_to_date())
    world.reloads = 0
    world.logins, world.trouble = [ALICE], LoginsUntoldError("killed before the hook")
    with pytest.raises(LoginsUntoldError):
        bring(world)
    assert unread.exists()
    world.trouble, world.files = None, other
    bring(world)
    assert (world.reloads, unread.exists()) == (1, False)
    assert "bob" not in world.text()
    bring(world)
    assert world.reloads == 1


def test_a_directory_that_several_keep_is_made_by_none_of_them_and_its_lack_ends_nobody(world):
    world.files = world.made(lock=world.directory / ".lock", unread=world.directory / ".unread")
    world.directory.rmdir()
    with pytest.raises(LoginsUntoldError, match=r"mqtt\.logins_dir = .*No such file or directory; make it a directory"):
        bring(world)
    assert not world.directory.exists()
    world.directory.mkdir()
    (world.directory / ".unread").mkdir()  # as one that may not be removed
    with pytest.raises(LoginsUntoldError, match=r"mqtt\.logins_dir"):
        bring(world)


def test_passwords_of_old_are_left_out_and_named(world):
    world.logins = [ALICE, OLD]
    with capture_logs() as logs:
        assert bring(world) == ["old.phone"]
    assert "old.phone" not in world.text()
    assert [(line["event"], line["logins"], line["left_out"]) for line in logs] == [("logins_told", 1, 1)]


def test_a_login_that_goes_is_seen_off_with_a_last_password_and_no_rights(world):
    bring(world)
    world.logins = [ALICE]
    with capture_logs() as logs:
        bring(world)
    assert world.dismissed == [("bob.phone", True)]
    assert "bob.phone:$7$" in world.passwords_when_read
    assert "bob.phone:$7$bob" not in world.passwords_when_read
    assert world.text() == "alice.phone:$7$alice\n"
    assert "bob" not in world.text("acl")
    assert [line["event"] for line in logs] == ["logins_told", "session_ended"]


def test_whom_the_broker_did_not_let_in_stands_in_them_until_it_does(world):
    bring(world)
    world.logins, world.refused = [ALICE], True
    with pytest.raises(LoginsUntoldError, match=r"bob\.phone: not authorised"):
        bring(world)
    assert "bob.phone:" in world.text()
    world.files, world.refused = world.made(), False  # also another process knows
    bring(world)
    assert world.dismissed == [("bob.phone", True)]
    assert "bob" not in world.text()


def test_a_login_that_comes_back_is_not_seen_off(world):
    bring(world)
    world.logins, world.refused = [ALICE], True
    with suppress(LoginsUntoldError):
        bring(world)
    world.logins = [ALICE, BOB]
    bring(world)
    assert "bob.phone:$7$bob\n" in world.text()


def test_a_defect_is_none_of_the_brokers(world):
    bring(world)
    world.logins = [ALICE]

    async def broken(*_):
        raise ZeroDivisionError

    world.dismiss = broken
    world.files = world.made()
    with pytest.raises(ZeroDivisionError):
        bring(world)


def test_a_directory_that_is_not_there_is_told_with_its_cure(world):
    world.directory.rmdir()
    with pytest.raises(LoginsUntoldError, match=r"mqtt\.logins_dir = .*No such file or directory; make it a directory"):
        bring(world)


def test_a_file_that_cannot_be_read_is_told(world):
    (world.directory / "acl").write_bytes(b"\xff")
    with pytest.raises(LoginsUntoldError, match="acl"):
        bring(world)


def test_it_looks_by_itself_tells_each_trouble_once_and_goes_on(world, monkeypatch):
    monkeypatch.setattr(login_files_module, "LOOK_S", 0.001)
    monkeypatch.setattr(login_files_module, "RETRY_S", 0.001)

    async def story():
        task = asyncio.create_task(world.files.run())
        await until_on_loop(lambda: world.reloads == 1, what="the first files to be read")
        world.trouble, world.logins, world.number = LoginsUntoldError("no"), [ALICE], 2
        await until_on_loop(lambda: len([line for line in logs if line["event"] == "logins_not_told"]) == 1, what="no")
        asked = world.asked
        await until_on_loop(lambda: world.asked > asked + 2, what="further tries")
        world.trouble = StoreUnavailableError("full")
        await until_on_loop(
            lambda: len([line for line in logs if line["event"] == "logins_not_told"]) == 2, what="full"
        )
        world.trouble = None
        await until_on_loop(lambda: world.reloads == 2, what="the next files to be read")
        world.own_changed = True
        await until_on_loop(lambda: not world.own_changed, what="the bridge's own password to be taken up")
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    with capture_logs() as logs:
        asyncio.run(story())
    assert [line["reason"] for line in logs if line["event"] == "logins_not_told"] == ["no", "full"]
