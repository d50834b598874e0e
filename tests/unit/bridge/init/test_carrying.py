from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath

import pytest

from bridge.config.permissions import FileMode
from bridge.errors import ConfigurationError
from bridge.init import authority, carrying
from bridge.init.carrying import Outcome, StepError
from bridge.init.plan import Account, Authority, Command, Copies, Folder, Membership, Plan, TextFile

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOST = "mail.example.org"
WHOLE, OURS = FileMode(0o755), FileMode(0o700)


def carried(*steps, force=False):
    """What became of each step, and what was remarked."""
    plan = Plan(steps, PurePath("/nowhere"))
    if mistakes := list(carrying.mistakes(plan, force=force, now=NOW)):
        raise ConfigurationError("\n".join(mistakes))
    return [(done.outcome, done.remark) for done in carrying.carry_out(plan, now=lambda: NOW)]


def outcomes(*steps, force=False):
    return [outcome for outcome, _ in carried(*steps, force=force)]


def steps_of_an_installation(home):
    return (
        Folder(home / "postbell", WHOLE),
        Folder(home / "postbell" / "tls", OURS),
        Authority(home / "postbell" / "tls", (HOST,)),
        TextFile(home / "units" / "a.service", "[Unit]\n"),
        TextFile(home / "postbell" / "postbell.toml", "node = 'main'\n"),
    )


def test_what_was_done_is_found_the_second_time(tmp_path):
    steps = steps_of_an_installation(tmp_path)
    assert outcomes(*steps) == [Outcome.MADE] * 5
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert outcomes(*steps) == [Outcome.THERE] * 5
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == made


def test_what_others_wrote_is_kept_unless_it_is_to_be_replaced(tmp_path):
    steps = steps_of_an_installation(tmp_path)
    carried(*steps)
    for name in ("postbell/postbell.toml", "units/a.service"):
        (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigurationError) as refused:
        carried(*steps)
    assert f"{tmp_path}/units/a.service: there already, and not as these answers make it" in str(refused.value)
    assert f"(as well: {tmp_path}/postbell/postbell.toml)" in str(refused.value)
    assert "--dry-run" in str(refused.value)
    assert "--force" in str(refused.value)
    assert (tmp_path / "postbell/postbell.toml").read_text() == "mine"
    outcome, remark = carried(*steps, force=True)[-1]
    assert outcome is Outcome.REPLACED
    aside = tmp_path / "postbell" / "postbell.toml.old-1"
    assert remark == f"the old one is {aside}"
    assert aside.read_text() == "mine"


def test_a_file_that_cannot_be_read_as_text_stops_it_before_anything_is_done(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="move it away, or name another with --config"):
        carried(Folder(tmp_path / "made", OURS), TextFile(file, "x"))
    assert not (tmp_path / "made").exists()


def test_given_certificates_are_judged_before_anything_is_done(tmp_path):
    pair = authority.make_server(authority.make_authority("ca", now=NOW), (HOST,), now=NOW - timedelta(days=400))
    chain, key = tmp_path / "c.pem", tmp_path / "k.pem"
    chain.write_bytes(pair.certificate)
    key.write_bytes(pair.key)
    tls = tmp_path / "tls"
    with pytest.raises(ConfigurationError, match="expired on"):
        carried(Folder(tls, OURS), Copies(tls, chain, key, HOST))
    assert not tls.exists()
    pair = authority.make_server(authority.make_authority("ca", now=NOW), (HOST,), now=NOW)
    chain.write_bytes(pair.certificate)
    key.write_bytes(pair.key)
    assert outcomes(Folder(tls, OURS), Copies(tls, chain, key, HOST)) == [Outcome.MADE] * 2
    assert outcomes(Folder(tls, OURS), Copies(tls, chain, key, HOST)) == [Outcome.THERE] * 2
    with pytest.raises(ConfigurationError, match="a certificate from elsewhere; keep it with --tls files"):
        carried(Authority(tls, (HOST,)))
    assert outcomes(Authority(tls, (HOST,)), force=True) == [Outcome.MADE]


def test_a_program_that_may_fail_is_told_as_left(tmp_path):
    assert carried(Command(("true",), required=False)) == [(Outcome.DONE, "")]
    assert carried(Command(("false",), required=False)) == [(Outcome.LEFT, "ended with 1")]
    assert carried(Command((str(tmp_path / "absent"),), required=False)) == [(Outcome.LEFT, "there is no such program")]
    assert carried(Command(("sh", "-c", "echo no bus >&2; exit 1"), required=False)) == [(Outcome.LEFT, "no bus")]
    with pytest.raises(StepError, match=r"^false: ended with 1"):
        carried(Command(("false",)))


def test_a_program_without_an_end_is_told(monkeypatch):
    monkeypatch.setattr(carrying, "PATIENCE_S", 0.05)
    assert carried(Command(("sleep", "60"), required=False))[0][0] is Outcome.LEFT


def test_what_the_system_refuses_is_told_with_its_place(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StepError, match=r"file: File exists; mend it, and run the same command again"):
        carried(Folder(tmp_path / "file", OURS))


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Stand-ins for the programs that make accounts: they write down how they were called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("useradd", "usermod"):
        (folder / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/called\n')
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return tmp_path / "called"


def test_an_account_is_made_once(programs):
    account = Account("nobody-has-this-name", PurePath("/var/lib/postbell"))
    assert outcomes(account, Account("root", PurePath("/root"))) == [Outcome.MADE, Outcome.THERE]
    assert programs.read_text() == (
        "useradd --system --user-group --no-create-home --home-dir /var/lib/postbell "
        "--shell /usr/sbin/nologin nobody-has-this-name\n"
    )


def test_a_member_is_made_once_and_of_groups_that_there_are(programs):
    assert outcomes(Membership("root", "root")) == [Outcome.THERE]
    assert outcomes(Membership("nobody", "tty")) == [Outcome.MADE]
    assert programs.read_text() == "usermod --append --groups tty nobody\n"
    [(outcome, remark)] = carried(Membership("nobody", "nobody-has-this-name"))
    assert outcome is Outcome.LEFT
    assert "install the mail server, and run this again" in remark


def test_without_the_right_to_make_accounts_that_is_told(programs):
    (programs.parent / "bin" / "useradd").write_text("#!/bin/sh\necho cannot lock /etc/passwd >&2\nexit 1\n")
    with pytest.raises(StepError, match=r"useradd .*: cannot lock /etc/passwd; do it by hand, and run the same"):
        carried(Account("nobody-has-this-name", Path("/x")))


def test_what_is_ahead_is_told_and_nothing_is_done(tmp_path):
    steps = (*steps_of_an_installation(tmp_path), Command(("true",)), Account("postbell", tmp_path))
    plan = Plan(steps, PurePath("/nowhere"))
    assert [done.outcome for done in carrying.ahead(plan)] == [*[Outcome.AHEAD] * 5, Outcome.RUN, Outcome.AHEAD]
    assert list(tmp_path.iterdir()) == []
    carried(*steps_of_an_installation(tmp_path))
    (tmp_path / "postbell/postbell.toml").write_text("mine")
    found = [(done.outcome, bool(done.remark)) for done in carrying.ahead(plan)]
    there, ahead = (Outcome.THERE, False), (Outcome.AHEAD, False)
    assert found[:5] == [there, there, ahead, there, (Outcome.AHEAD, True)]
