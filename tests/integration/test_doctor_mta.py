"""`postbell doctor` at the mail server before Postbell: a real Postfix, and what the recipes of all leave."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

import pytest

from bridge.cli import main
from bridge.doctor.judge import mta
from bridge.doctor.look import mta as mta_look
from tests.conftest import need
from tests.integration.test_mta_postfix import started
from tests.integration.test_upkeep import installed
from tests.support.configured import configured
from tests.support.machine import run
from tests.support.mta import MAIL, flushing, place, waited
from tests.support.stored import add_user


class Looking:
    """Looks at the mail servers of a place as the doctor does, and judges them."""

    def __init__(self, where, etc):
        self.etc = etc
        self.settings = configured(
            state_dir=where.database.parent,
            smtp={"listen": f"127.0.0.1:{where.smtp_port}"},
            lmtp={"listen": where.lmtp(over_tcp=False)},
        )

    def look(self):
        """All findings by their check."""
        for name in ("main.cf", "master.cf"):  # which Postfix reads again and again while they are fresh
            os.utime(self.etc / name, (1, 1))
        seen = mta_look.look(self.settings, owner="root", configuration=None, now_s=time.time())
        return {finding.check: finding for finding in mta.judge(seen, none="there is none")}

    def broken(self, check):
        """What is told to be broken, and how it is cured."""
        finding = self.look()[check]
        assert finding.ok is False, finding
        return finding.problem, finding.cure


def set_up(where, server):
    run("sh", "-e", "-x", input=where.setup("postfix", "--directory", str(server.etc)).encode())


def brought_up_to_date(server):
    """As it should be now: without the user that `Place.setup` names for a moment."""
    copies = server.etc / "postbell" / "copies"
    copies.write_text("".join(line for line in copies.read_text().splitlines(True) if "nobody" not in line))


def test_a_real_postfix_that_is_set_up_wrongly():
    with place(group="postfix") as where, started(where) as server:
        doctor, etc = Looking(where, server.etc), server.etc
        assert {finding.problem for finding in doctor.look().values()} == {"there is none"}

        set_up(where, server)  # for somebody more, who is gone since
        again = f"sudo postbell setup postfix --directory {etc} | sudo sh"
        assert doctor.broken("mta.recipe") == (
            f"Postfix is not set up for the users of now: {etc}/postbell/copies has 1 lines of another time",
            again,
        )
        brought_up_to_date(server)
        assert doctor.look()["mta.recipe"].ok

        for name, value in (("transport_maps", f"regexp:{etc}/postbell_transport"), ("recipient_bcc_maps", "pipemap:")):
            before = run("postconf", "-c", etc, "-h", name).strip()
            run("postconf", "-c", etc, "-e", f"{name} =")
            assert f"{etc}/main.cf lacks {value}" in doctor.broken("mta.recipe")[0]
            run("postconf", "-c", etc, "-e", f"{name} = {before}")
        run("postconf", "-c", etc, "-F", "postbell/unix/chroot=y")
        (where.directory / "lmtp").touch()
        problem, cure = doctor.broken("mta.socket")
        assert f"the socket would be {where.directory}/queue{where.directory}/lmtp: No such file" in problem
        assert cure.endswith(again)
        run("postconf", "-c", etc, "-MX", "postbell/unix")
        assert f"{etc}/master.cf lacks postbell unix" in doctor.broken("mta.recipe")[0]
        before = (etc / "main.cf").read_text()
        (etc / "main.cf").write_text("nonsense")
        findings = doctor.look()
        (etc / "main.cf").write_text(before)  # Postfix does not even end without
        assert f"{etc}/main.cf: Postfix cannot use it" in findings["mta.recipe"].problem
        assert findings["mta.recipe"].cure == f"postfix -c {etc} check"
        assert findings["mta.socket"].ok is findings["mta.queue"].ok is None


def test_a_real_postfix_that_may_not_open_the_socket_and_what_waits_at_it():
    with place(group="postfix") as where, started(where) as server:
        doctor, socket = Looking(where, server.etc), where.directory / "lmtp"
        set_up(where, server)

        async def come() -> None:
            async with where.postbell():
                assert (await asked())["mta.socket"].ok
                socket.chmod(0o600)
                await asyncio.to_thread(server.inject, MAIL % b"late", "alice@example.org")
                await waited(lambda: "Permission denied" in run("postqueue", "-c", server.etc, "-j"), "the refusal")
                findings = await asked()
                assert "which comes as user postfix" in findings["mta.socket"].problem
                assert 'lmtp.socket_owner = ":postfix"' in findings["mta.socket"].cure
                assert "1 in number and the first for 0 minutes: connect to " in findings["mta.queue"].problem
                assert "Permission denied" in findings["mta.queue"].problem
                assert findings["mta.queue"].cure.endswith(f"postqueue -c {server.etc} -f")
                socket.chmod(0o660)
                where.directory.chmod(0o700)
                assert f"{where.directory} is of user 0" in (await asked())["mta.socket"].problem
                where.directory.chmod(0o755)
                async with flushing(server):
                    await waited(lambda: bool(where.devices.mail), "the mail on the device")
                    await waited(lambda: not server.queued(), "an empty queue")
                assert (await asked())["mta.queue"].ok

        async def asked():
            return await asyncio.to_thread(doctor.look)

        asyncio.run(come())


# --- what the recipes of all leave ----------------------------------------------------------------


@pytest.fixture
def state(tmp_path, monkeypatch):
    """A state that alice uses, and machines with programs that answer nothing."""
    for name in [name for name in os.environ if name.startswith("POSTBELL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("POSTBELL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("POSTBELL_LMTP__LISTEN", f"unix:{tmp_path}/lmtp")
    monkeypatch.setenv("POSTBELL_SMTP__LISTEN", "127.0.0.1:2525")
    monkeypatch.setenv("POSTBELL_BODY__TOTAL", "1M")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bin").mkdir()
    for name in ("exim4", "smtpctl", "postqueue"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    add_user(tmp_path / "state" / "postbell.db", "alice")
    return tmp_path / "state"


@pytest.fixture
def postbell(state, monkeypatch, capsys):
    def in_process(*arguments):
        monkeypatch.setattr(sys, "argv", ["postbell", *arguments])
        code = main.run()
        said = capsys.readouterr()
        return code, said.out, said.err

    assert state.exists()
    return in_process


@pytest.fixture
def recipe(postbell):
    """What the doctor says of the recipe."""

    def ask():
        _, out, _ = postbell("doctor", "--json", "--look-only")
        return next(each for each in json.loads(out) if each["check"] == "mta.recipe")

    return ask


@pytest.mark.parametrize(
    ("server", "lost"),
    [
        ("exim", "conf.d/router/050_postbell"),
        ("exim", "postbell/addresses"),
        ("opensmtpd", "smtpd.conf"),
        ("opensmtpd", "aliases"),
    ],
)
def test_what_a_recipe_left_and_is_gone(postbell, recipe, tmp_path, server, lost):
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "smtpd.conf").write_text("listen on socket\n")
    installed(postbell, etc, server)
    assert recipe()["ok"]
    (etc / lost).unlink()
    finding = recipe()
    assert finding["ok"] is False
    assert f"{etc}/{lost}: No such file" in finding["problem"]
    assert finding["cure"] == f"sudo postbell setup {server} --directory {etc} | sudo sh"


def test_opensmtpd_is_told_of_new_users_by_hand(postbell, recipe, tmp_path):
    installed(postbell, tmp_path / "etc", "opensmtpd")
    postbell("user", "add", "bob", "--address", "bob@example.org")
    finding = recipe()
    assert finding["ok"] is False
    assert "aliases lacks bob=example.org@postbell.invalid" in finding["problem"]


def test_dovecots_script_is_of_another_time_after_a_new_user(postbell, recipe, tmp_path):
    need("postconf")  # which carries what Dovecot makes
    installed(postbell, tmp_path / "etc", "dovecot")
    assert "postbell.sieve" not in recipe()["problem"], "the part of Postfix is elsewhere"
    postbell("user", "add", "bob", "--address", "bob@example.org")
    assert "postbell.sieve lacks 1 lines and has 1 lines of another time" in recipe()["problem"]


def test_a_server_that_is_gone_or_has_no_way_any_more(postbell, recipe, tmp_path, monkeypatch):
    installed(postbell, tmp_path / "etc", "exim")
    monkeypatch.setenv("POSTBELL_LMTP__LISTEN", "")
    assert "the recipe: lmtp.listen is off" in recipe()["problem"]
    (tmp_path / "bin" / "exim4").unlink()
    finding = recipe()
    assert (finding["ok"], finding["problem"]) == (None, "Exim: its program exim4 is not on this machine")


def test_a_file_that_this_user_may_not_read(postbell, recipe, tmp_path):
    if os.geteuid():
        pytest.skip("needs root to become somebody else")
    etc = tmp_path / "etc"
    installed(postbell, etc, "exim")
    for path in (tmp_path / "state", *(tmp_path / "state").rglob("*")):
        os.chown(path, 65_534, 65_534, follow_symlinks=False)
    folders = [folder for folder in tmp_path.parents if str(folder).startswith("/tmp/")]
    modes = {folder: folder.stat().st_mode for folder in (*folders, tmp_path)}
    for folder in modes:
        folder.chmod(0o755)
    (etc / "conf.d").chmod(0o700)
    os.seteuid(65_534)
    try:
        finding = recipe()
    finally:
        os.seteuid(0)
        for folder, mode in modes.items():
            folder.chmod(mode)
    assert finding["ok"] is None
    assert finding["problem"] == f"Exim: this user cannot read {etc}/conf.d/router/050_postbell"
