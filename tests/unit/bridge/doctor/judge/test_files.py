"""Users and permissions: each thing that can be wrong is found, and told with what cures it."""

from __future__ import annotations

import stat
from dataclasses import replace

import pytest

from bridge.doctor.judge.access import FileSeen, SystemUser
from bridge.doctor.judge.files import FilesSeen, Named, judge
from tests.support.findings import answer, broken, found

POSTBELL, ROOT, CAROL = SystemUser(900, "postbell", frozenset({900})), SystemUser(0, "root"), SystemUser(1000, "carol")
FOLDER, FILE, SOCKET = stat.S_IFDIR, stat.S_IFREG, stat.S_IFSOCK
TOP = FileSeen("/", 0, 0, FOLDER | 0o755)
STATE = "/var/lib/postbell"


def named(key, path, *, uid=900, mode, error="", top=TOP):
    return Named(key, path, (top, FileSeen(path, uid, uid, mode)), error)


GOOD = FilesSeen(
    state=named("state_dir", STATE, mode=FOLDER | 0o700),
    asking=POSTBELL,
    owner=POSTBELL,
    service=POSTBELL,
    contents=(
        FileSeen(f"{STATE}/postbell.db", 900, 900, FILE | 0o600),
        FileSeen(f"{STATE}/spool", 900, 900, FOLDER | 0o755),
    ),
    configuration=named("--config", "/etc/postbell.toml", uid=0, mode=FILE | 0o644),
    secrets=(named("mqtt.password_file", "/etc/word", mode=FILE | 0o400),),
    run=(Named("lmtp.listen", "/run/postbell/lmtp.sock", (TOP, FileSeen("/run/postbell", 900, 900, FOLDER | 0o755))),),
)


CONTENTS = GOOD.contents or ()


def changed(**changes):
    return judge(replace(GOOD, **changes))


def test_what_is_right_is_fine():
    assert {finding.ok for finding in judge(GOOD)} == {True}
    assert {finding.ok for finding in changed(asking=ROOT)} == {True}


def test_somebody_else_is_told_whose_command_it_is():
    finding = found(changed(asking=CAROL, contents=None), "user.owner")
    assert finding.problem.startswith("you are not the user that owns the state")
    assert finding.cure == "sudo -u postbell postbell doctor"
    again = replace(GOOD, asking=CAROL, command="postbell --config /x doctor")
    assert found(judge(again), "user.owner").cure == "sudo -u postbell postbell --config /x doctor"


def test_without_a_state_directory_nobody_owns_it():
    nothing = Named("state_dir", STATE, (TOP,), "No such file or directory")
    assert broken(changed(state=nothing, owner=None, service=None, contents=None)) == set()


def test_a_bridge_that_runs_as_another_user():
    finding = found(changed(service=ROOT), "user.service")
    assert "runs as root" in finding.problem
    assert answer(changed(service=None), "user.service") is None


def test_a_state_that_everybody_may_look_into():
    finding = found(changed(state=named("state_dir", STATE, mode=FOLDER | 0o755)), "files.closed")
    assert finding.cure == f"chmod 700 {STATE}"


@pytest.mark.parametrize("name", ["postbell.db", "postbell.db-wal", "local.key"])
def test_a_file_of_secrets_that_others_may_use(name):
    finding = found(changed(contents=(FileSeen(f"{STATE}/{name}", 900, 900, FILE | 0o640),)), "files.closed")
    assert finding.cure == f"chmod 600 {STATE}/{name}"


def test_files_that_root_left_there():
    left = tuple(FileSeen(f"{STATE}/watch/{number}", 0, 0, FILE | 0o600) for number in range(5))
    finding = found(changed(contents=(*CONTENTS, *left)), "files.owned")
    assert f"{STATE}/watch/2 and 2 more" in finding.problem
    assert finding.cure == f"chown -R postbell: {STATE}"
    assert " more" not in found(changed(contents=left[:1]), "files.owned").problem


def test_a_configuration_that_everybody_may_write():
    file = named("--config", "/etc/postbell.toml", uid=0, mode=FILE | 0o666)
    assert found(changed(configuration=file), "files.configuration").cure == "chmod o-w /etc/postbell.toml"


def test_a_configuration_that_the_service_cannot_read():
    file = named("--config", "/etc/postbell.toml", uid=0, mode=FILE | 0o600)
    finding = found(changed(configuration=file), "files.configuration")
    assert "postbell, who runs the service, cannot read /etc/postbell.toml" in finding.problem
    assert finding.cure == "chgrp postbell /etc/postbell.toml && chmod g+r /etc/postbell.toml"
    closed = named("--config", "/root/bell.toml", uid=0, mode=FILE | 0o644, top=FileSeen("/root", 0, 0, FOLDER | 0o700))
    assert "chmod o+x /root" in found(changed(configuration=closed), "files.configuration").cure


def test_no_configuration_or_one_that_cannot_be_seen_is_not_judged():
    assert answer(changed(configuration=None), "files.configuration") is None
    hidden = Named("--config", "/x", (TOP,), "Permission denied")
    assert answer(changed(configuration=hidden), "files.configuration") is None


def test_a_password_that_everybody_may_read():
    file = named("mqtt.password_file", "/etc/word", mode=FILE | 0o644)
    assert found(changed(secrets=(file,)), "files.secrets").cure == "chmod o-rw /etc/word"


def test_a_key_that_the_service_cannot_read():
    file = named("smtp.tls_key", "/etc/key.pem", uid=0, mode=FILE | 0o600)
    finding = found(changed(secrets=(file,)), "files.secrets")
    assert "smtp.tls_key = '/etc/key.pem'" in finding.problem


def test_a_key_that_is_not_there():
    file = Named("smtp.tls_key", "/etc/key.pem", (TOP,), "No such file or directory")
    assert "No such file" in found(changed(secrets=(file,)), "files.secrets").problem


def test_secrets_that_cannot_be_seen_are_not_judged_nor_are_none():
    file = Named("smtp.tls_key", "/root/key.pem", (TOP,), "Permission denied")
    assert answer(changed(secrets=(file,)), "files.secrets") is None
    assert answer(changed(secrets=()), "files.secrets") is None


def test_a_folder_in_which_the_service_cannot_make_its_socket():
    folder = FileSeen("/run/postbell", 0, 0, FOLDER | 0o755)
    finding = found(changed(run=(Named("lmtp.listen", "/run/postbell/l", (TOP, folder), "No such file"),)), "files.run")
    assert "postbell cannot make a socket there: /run/postbell is of user 0" in finding.problem
    assert "install -d -o postbell /run/postbell" in finding.cure
    there = named("lmtp.listen", "/run/postbell/l", uid=0, mode=SOCKET | 0o660, top=folder)
    assert answer(changed(run=(there,)), "files.run") is True
    assert answer(changed(run=()), "files.run") is None
    assert answer(changed(run=(Named("lmtp.listen", "/a/b", (), "Permission denied"),)), "files.run") is None
