"""What the doctor makes of mail servers: their recipe, their way to the socket, their queues."""

from __future__ import annotations

from dataclasses import replace

from bridge.doctor.judge.access import FileSeen, SystemUser
from bridge.doctor.judge.check import Check
from bridge.doctor.judge.files import DENIED, Named
from bridge.doctor.judge.mta import Left, ServerSeen, SocketSeen, Waiting, judge
from tests.support.findings import answer, broken, found

POSTFIX = SystemUser(102, "postfix", frozenset({105}))
COPIES = Left("/etc/postfix/postbell/copies", "/^alice@/\n/^bob@/\n", "/^bob@/\n/^alice@/\n")
MAIN = Left("/etc/postfix/main.cf", "regexp:/t\n", "# x\ntransport_maps = a,\n   regexp:/t\n", own=False)
FOLDER, RUN = FileSeen("/run", 0, 0, 0o755), FileSeen("/run/postbell", 900, 900, 0o755)
SOCKET = FileSeen("/run/postbell/lmtp.sock", 900, 105, 0o660)
WAY = SocketSeen(Named("lmtp.listen", SOCKET.path, (FOLDER, RUN, SOCKET)), POSTFIX)
SERVER = ServerSeen("Postfix", "postbell setup postfix | sudo sh", "postqueue -f", "", (COPIES, MAIN), WAY, Waiting())


def seen(**changes):
    return judge([replace(SERVER, **changes)], none="")


def socket(*trail, error="", account=POSTFIX, chrooted=False):
    return seen(socket=SocketSeen(Named("lmtp.listen", SOCKET.path, trail, error), account, chrooted))


def test_a_mail_server_that_hands_over_what_it_should_is_fine():
    assert broken(seen()) == set()
    assert all(finding.ok for finding in seen())


def test_where_there_is_none_nothing_is_wrong():
    findings = judge([], none="no mail server was set up")
    assert [(finding.check, finding.ok, finding.problem) for finding in findings] == [
        (check, None, "no mail server was set up") for check in Check if check.hop == "mta"
    ]


def test_one_that_is_gone_is_not_judged():
    findings = seen(gone="its program is not here", left=(replace(COPIES, there=""),))
    assert {(finding.ok, finding.problem) for finding in findings} == {(None, "Postfix: its program is not here")}


def test_of_two_servers_the_broken_one_is_named():
    exim = replace(SERVER, name="Exim", left=(replace(COPIES, there=None, error="No such file or directory"),))
    finding = found(judge([SERVER, exim], none=""), "mta.recipe")
    assert finding.problem.startswith("Exim is not set up")
    assert "copies: No such file or directory" in finding.problem


def test_a_table_that_is_not_of_now():
    finding = found(seen(left=(replace(COPIES, there="/^bob@/\n/^carol@/\n/^dave@/\n"),)), "mta.recipe")
    assert "lacks 1 lines and has 2 lines of another time" in finding.problem
    assert finding.cure == "postbell setup postfix | sudo sh"
    assert "lacks 2 lines" in found(seen(left=(replace(COPIES, there=""),)), "mta.recipe").problem


def test_a_file_of_the_servers_own_without_its_part():
    for there in ("transport_maps =\n", "transport_maps = a\n # regexp:/t\n"):
        finding = found(seen(left=(COPIES, replace(MAIN, there=there))), "mta.recipe")
        assert finding.problem.endswith("/etc/postfix/main.cf lacks regexp:/t")


def test_a_file_that_may_not_be_read_says_nothing():
    findings = seen(left=(replace(COPIES, there=None, error=DENIED),))
    assert answer(findings, "mta.recipe") is None
    assert broken(findings) == set()


def test_a_socket_that_is_for_others():
    finding = found(socket(FOLDER, RUN, replace(SOCKET, gid=900)), "mta.socket")
    assert "user postfix" in finding.problem
    assert "lmtp.sock is of user 900, group 900, mode 0660" in finding.problem
    assert "SocketGroup=postfix" in finding.cure
    assert 'lmtp.socket_owner = ":postfix"' in finding.cure
    assert broken(socket(FOLDER, RUN, replace(SOCKET, mode=0o640))) == {"mta.socket"}, "to connect is to write"
    assert broken(socket(FOLDER, RUN, replace(SOCKET, gid=900, mode=0o666))) == set()


def test_a_folder_on_the_way_that_is_closed():
    finding = found(socket(FOLDER, replace(RUN, mode=0o750), SOCKET), "mta.socket")
    assert finding.cure.startswith("chmod o+x /run/postbell")


def test_a_socket_that_is_not_there_is_the_listeners_affair():
    findings = socket(FOLDER, RUN, error="No such file or directory")
    assert answer(findings, "mta.socket") is None
    assert answer(socket(error=DENIED), "mta.socket") is None


def test_in_a_root_of_its_own_the_socket_is_not_there():
    finding = found(socket(FOLDER, error="No such file or directory", chrooted=True), "mta.socket")
    assert "root of its own" in finding.problem
    assert finding.cure.endswith("postbell setup postfix | sudo sh")


def test_nobody_knows_who_comes_or_it_comes_over_tcp():
    assert answer(socket(FOLDER, RUN, SOCKET, account=None), "mta.socket") is None
    assert answer(seen(socket=None), "mta.socket") is None


def test_mail_that_waits_is_told_with_the_servers_reason():
    finding = found(seen(waiting=Waiting(3, 7 * 3600, "Connection refused")), "mta.queue")
    assert finding.problem == (
        "mail for Postbell waits in Postfix's queue, 3 in number and the first for 7 hours: Connection refused"
    )
    assert finding.cure.endswith("postqueue -f")
    finding = found(seen(waiting=Waiting(3, 90, "Connection refused", whole=False)), "mta.queue")
    assert "at least 3 in number and the first for 2 minutes" in finding.problem


def test_one_that_does_not_run_is_told_whatever_waits():
    finding = found(seen(waiting=Waiting(down=True)), "mta.queue")
    assert finding.problem.startswith("Postfix does not run")


def test_a_queue_that_cannot_be_looked_at_says_nothing():
    assert answer(seen(waiting=Waiting(refused="you may not")), "mta.queue") is None
    assert answer(seen(waiting=Waiting(whole=False)), "mta.queue") is None
    assert answer(seen(waiting=None), "mta.queue") is None
