"""`inbox` against a whole Postbell: mails by number, opened, saved, seen and taken back; alone and beside a watcher."""

from __future__ import annotations

import json
from email.message import EmailMessage

import pytest

from tests.support.system import System
from tests.support.waiting import until


@pytest.fixture
def system(tmp_path):
    with System(tmp_path) as running:
        running.serve()
        running.add("alice")
        running.wait_connected()
        yield running


def mail(subject, body="Hello", attachment=None):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Ada <ada@example.org>", "alice@example.org", subject
    message.set_content(body)
    if attachment is not None:
        message.add_attachment(attachment, maintype="application", subtype="octet-stream", filename="plan.bin")
    return message.as_bytes()


def inbox(system, *words, code=0):
    done = system.run("inbox", "alice/phone", *words, check=False)
    assert done.returncode == code, done.stderr
    return done


def listed(system):
    """Number and subject of what is unseen."""
    return [(each["number"], each["subject"]) for each in map(json.loads, inbox(system, "--json").stdout.splitlines())]


def send(system, *mails):
    for each in mails:
        system.send(each, "alice@example.org")
    system.wait_drained()


def test_mails_are_listed_opened_saved_seen_and_taken_back_by_number(system, tmp_path):
    send(system, mail("first"), mail("[/nope]", "literal [bold]body[/bold]", b"\0\1\2"), mail("third"))
    assert listed(system) == [(1, "first"), (2, "[/nope]"), (3, "third")]
    opened = inbox(system, "open", "2").stdout
    assert "Subject  [/nope]" in opened
    assert opened.endswith("literal [bold]body[/bold]\n")

    into = tmp_path / "saved"
    assert inbox(system, "save", "2", "--into", into).stdout.split() == [str(into / "plan.bin")]
    assert (into / "plan.bin").read_bytes() == b"\0\1\2"
    assert inbox(system, "save", "2", "1", "--into", into).stdout.strip() == str(into / "plan (2).bin")
    assert "it has 0 text/plain, 1 application/octet-stream plan.bin" in inbox(system, "save", "2", "9", code=1).stderr

    inbox(system, "seen", "1", "3")
    send(system, mail("fourth"))
    assert listed(system) == [(2, "[/nope]"), (4, "fourth")], "a number that was just used is not given again"
    inbox(system, "unseen", "3")
    assert listed(system) == [(2, "[/nope]"), (3, "third"), (4, "fourth")]
    inbox(system, "seen", "all")
    assert listed(system) == []
    assert "there is no mail 7" in inbox(system, "open", "7", code=2).stderr


def test_what_was_listed_is_still_shown_by_the_next_watcher_and_numbers_are_the_same_beside_it(system):
    send(system, mail("first"), mail("second"))
    assert listed(system) == [(1, "first"), (2, "second")]
    watcher = system.start("watch", "alice/phone", "--json", log="watch")
    try:
        log = system.directory / "watch.log"
        until(lambda: log.read_text().count('"subject"') == 2, what="the watcher to show both")
        inbox(system, "seen", "1")
        send(system, mail("third"))
        until(lambda: log.read_text().count('"subject"') == 3, what="the watcher to show the third")
        assert listed(system) == [(2, "second"), (3, "third")]
        assert "Subject  second" in inbox(system, "open", "2").stdout
    finally:
        system.stop(watcher)
    assert listed(system) == [(2, "second"), (3, "third")]


def test_without_a_broker_the_list_is_what_was_known_last(system):
    send(system, mail("first"))
    assert listed(system) == [(1, "first")]
    for process in system.processes:
        system.stop(process)
    done = inbox(system, "--timeout", "1", code=1)
    assert "first" in done.stdout
    assert "this is the box as it was known last" in done.stderr
