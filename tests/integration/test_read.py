"""`python -m clients read` against a real mosquitto: whole and exact, whatever is lost on the way."""

from __future__ import annotations

import json
import os
import random
import signal

import msgpack
import pytest

from tests.support.contract_player import Command, Player, mail_id
from tests.support.mosquitto import Mosquitto
from tests.support.waiting import until

CHUNK = 8192
ID = mail_id(0)


class Bodies:
    """Answers `text`, `raw`, `part` and `parts` as the bridge does; `spoil` may drop or reorder chunks."""

    def __init__(self, body, spoil=lambda chunks: chunks):
        self.body, self.spoil = body, spoil

    def __call__(self, request):
        _, request_id, operation, *arguments = request
        if operation == "parts":
            return [[1, request_id, 0, 0, len(PARTS), PARTS]]
        offset, limit = arguments[-2:]
        end = min(offset + limit, len(self.body))
        chunks = [
            [1, request_id, 0, start, len(self.body), self.body[start : min(start + CHUNK, end)]]
            for start in range(offset, end, CHUNK)
        ]
        return self.spoil(chunks or [[1, request_id, 0, offset, len(self.body), b""]])


PARTS = msgpack.packb([[0, "text/plain", "", 120], [1, "image/png", "../\x1b[31mplan \u202egnp.exe", 345678]])


@pytest.fixture
def broker(tmp_path):
    with Mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def player(broker):
    with Player(broker) as connected:
        yield connected


def read(tmp_path, broker, *arguments):
    return Command(tmp_path, broker, *arguments, ID, name="read")


def test_text_is_printed_without_terminal_commands(tmp_path, broker, player):
    player.on_request = Bodies("Grüße\r\n\tvon \x1b]0;x\x07 Ada \u202etxt".encode())
    command = read(tmp_path, broker)
    assert command.run() == 0
    assert command.out.read_text() == "Grüße\n\tvon \ufffd]0;x\ufffd Ada \ufffdtxt\n"


def test_text_of_no_length(tmp_path, broker, player):
    player.on_request = Bodies(b"")
    command = read(tmp_path, broker)
    assert command.run() == 0
    assert command.out.read_text() == "\n"


def test_raw_message_arrives_exactly_though_chunks_are_lost_doubled_and_reordered(tmp_path, broker, player):
    body, choose = random.Random(3).randbytes(700_000), random.Random(4)

    def spoil(chunks):
        kept = [chunk for chunk in chunks[:-1] if choose.random() > 0.1] + chunks[-1:]
        kept += [chunk for chunk in kept if choose.random() < 0.1]
        choose.shuffle(kept)
        return kept

    player.on_request = Bodies(body, spoil)
    command = read(tmp_path, broker, "--raw")
    assert command.run() == 0
    assert command.out.read_bytes() == body


def test_part_is_written_to_a_file_through_a_broker_that_dies(tmp_path, broker, player):
    body, target = random.Random(5).randbytes(600_000), tmp_path / "plan.png"
    bodies = Bodies(body)

    def die_once(request):
        if request[5] > 0 and broker.logged("terminating") == 0 and len(player.requests) == 2:
            broker.kill()
            broker.start()
            return []
        return bodies(request)

    player.on_request = die_once
    command = read(tmp_path, broker, "--part", "1", "--output", str(target))
    assert command.run() == 0
    assert target.read_bytes() == body
    assert command.out.read_bytes() == b""
    assert {request[4] for request in player.requests} == {1}
    assert list(tmp_path.glob(".plan.png*")) == []


def test_parts_are_listed_plain_and_as_json(tmp_path, broker, player):
    player.on_request = Bodies(b"")
    plain = read(tmp_path, broker, "--parts")
    assert plain.run() == 0
    assert plain.out.read_text() == "0\ttext/plain\t120\t\n1\timage/png\t345678\t../ [31mplan gnp.exe\n"
    plain.out.unlink()
    listed = read(tmp_path, broker, "--parts", "--json")
    assert listed.run() == 0
    assert [json.loads(line)["size"] for line in listed.lines] == [120, 345678]


def test_a_part_that_is_none_is_told_with_those_that_there_are(tmp_path, broker, player):
    def answer(request):
        return Bodies(b"")(request) if request[2] == "parts" else [[1, request[1], 4, 0, 0, "no such part"]]

    player.on_request = answer
    command = read(tmp_path, broker, "--part", "2")
    assert command.run() == 1
    assert "this mail has no part 2; it has 0 text/plain, 1 image/png ../ [31mplan gnp.exe" in command.complaints
    assert len(player.requests) == 2


def test_all_attachments_are_saved_under_safe_names_and_over_nothing(tmp_path, broker, player):
    """The text of the mail is none; names come from a stranger, and two are the same."""
    contents = {1: b"one", 2: b"two" * 9000, 3: b"three"}
    listed = [
        [0, "text/plain", "", 120],
        [1, "image/png", "../\x1b[31mplan \u202egnp.exe", 3],
        [2, "application/pdf", "plan gnp.exe", 27_000],
        [3, "message/rfc822", "", 5],
    ]

    def answer(request):
        packed = msgpack.packb(listed)
        if request[2] == "parts":
            return [[1, request[1], 0, 0, len(packed), packed]]
        return Bodies(contents[request[4]])(request)

    player.on_request = answer
    saved = read(tmp_path, broker, "--all", str(tmp_path / "saved"), "--json")
    assert saved.run() == 0, saved.complaints
    told = [json.loads(line) for line in saved.lines]
    names = ["[31mplan gnp.exe", "plan gnp.exe", "part-3.eml"]
    assert [each["file"] for each in told] == [str(tmp_path / "saved" / name) for name in names]
    assert [(tmp_path / "saved" / name).read_bytes() for name in names] == list(contents.values())
    assert len(list((tmp_path / "saved").iterdir())) == 3
    saved.out.unlink()
    again = read(tmp_path, broker, "--all", str(tmp_path / "saved"))
    assert again.run() == 0
    assert again.lines[1] == str(tmp_path / "saved" / "plan gnp (2).exe")
    listed[1:] = []
    assert again.run() == 0
    assert "no attachments" in again.complaints
    listed.append([1, "image/png", "x.png", 3])
    (tmp_path / "file").write_text("")
    nowhere = read(tmp_path, broker, "--all", str(tmp_path / "file"))
    assert nowhere.run() == 1
    assert f"cannot make the directory {tmp_path / 'file'}: File exists" in nowhere.complaints


def test_a_terminal_is_refused_for_what_is_no_text(tmp_path, broker, player):
    player.on_request = Bodies(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    for body, code in ((b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 2), ("Grüße".encode(), 0)):
        player.on_request = Bodies(body)
        master, slave = os.openpty()
        command = read(tmp_path, broker, "--part", "1")
        command.start(stdout=slave)
        os.close(slave)
        assert command.process.wait(30) == code
        assert ("Grüße" in os.read(master, 1000).decode()) if not code else ("use --output FILE" in command.complaints)
        os.close(master)


@pytest.mark.parametrize(
    "arguments",
    [("--raw", "--parts"), ("--all", "x", "--part", "1"), ("--json",), ("--parts", "--output", "x")],
    ids=" ".join,
)
def test_what_makes_no_sense_together_is_told(tmp_path, broker, arguments):
    assert read(tmp_path, broker, *arguments).run() == 2


@pytest.mark.parametrize(("status", "text"), [(2, "no such message"), (3, "body gone"), (99, "")])
def test_refusal_is_said_and_fails_and_leaves_no_file(tmp_path, broker, player, status, text):
    player.on_request = lambda request: [[1, request[1], status, 0, 0, text]]
    command = read(tmp_path, broker, "--raw", "--output", str(tmp_path / "mail.eml"))
    assert command.run() == 1
    assert (text or "status 99") in command.complaints
    assert list(tmp_path.glob("*mail.eml*")) == []


def test_says_later_is_tried_again(tmp_path, broker, player):
    bodies, answers = Bodies(b"hello"), iter([5, 6])

    def on_request(request):
        status = next(answers, 0)
        return [[1, request[1], status, 0, 0, "later"]] if status else bodies(request)

    player.on_request = on_request
    command = read(tmp_path, broker)
    assert command.run() == 0
    assert command.lines == ["hello"]


def test_silence_is_given_up(tmp_path, broker):
    command = read(tmp_path, broker, "--timeout", "1")
    assert command.run() == 1
    assert "no answer from the bridge for 1 seconds" in command.complaints


def test_beside_a_watcher_it_shares_the_connection(tmp_path, broker, player):
    body = b"x" * 300_000
    player.on_request = Bodies(body)
    with Command(tmp_path, broker, "--json") as watch:
        player.deliver(0)
        watch.await_lines(1)
        command = read(tmp_path, broker, "--raw")
        assert command.run() == 0
        assert command.out.read_bytes() == body
        player.deliver(1)
        watch.await_lines(2)
    assert broker.logged("New client connected") == 2


def test_mail_that_comes_while_reading_is_shown_by_the_next_watcher_once(tmp_path, broker, player):
    player.deliver(0)
    watch = Command(tmp_path, broker, "--json")
    with watch:
        watch.await_lines(1)
        watch.end(signal.SIGKILL)
    player.deliver(1)
    bodies = Bodies(b"hello")

    def with_mail(request):
        player.deliver(2)
        return bodies(request)

    player.on_request = with_mail
    assert read(tmp_path, broker).run() == 0
    for _ in range(2):
        with watch:
            watch.await_lines(3)
            until(lambda: "connected" in watch.complaints, what="the watcher to be connected")
            watch.end()
    assert [json.loads(line)["id"] for line in watch.lines] == [mail_id(n) for n in range(3)]
    assert broker.replayed("alice:phone") == 1, "what was there at the first connection"


def test_first_thing_ever_done_with_a_device_may_be_reading(tmp_path, broker, player):
    player.deliver(0)
    player.on_request = Bodies(b"hello")
    assert read(tmp_path, broker).run() == 0
    with Command(tmp_path, broker, "--json") as watch:
        watch.await_lines(1)
    assert broker.replayed("alice:phone") == 1


def shown_by(master):
    """All that a terminal was shown, until the last program there has ended."""
    shown = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # the other end is closed
            os.close(master)
            return shown
        shown += piece


def test_progress_is_shown_on_a_terminal(tmp_path, broker, player):
    player.on_request = Bodies(b"y" * 100_000)
    master, slave = os.openpty()
    command = read(tmp_path, broker, "--raw", "--output", str(tmp_path / "mail.eml"))
    command.environment["TERM"] = "xterm-256color"
    command.start(stderr=slave)
    os.close(slave)
    shown = shown_by(master)
    assert command.process.wait(30) == 0
    assert b"raw" in shown
    assert (tmp_path / "mail.eml").stat().st_size == 100_000


@pytest.mark.parametrize("body", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 8000, b"\x01\x02\x03 gz" * 20_000])
def test_what_is_refused_shows_no_progress(tmp_path, broker, player, body):
    player.on_request = Bodies(body)
    master, slave = os.openpty()
    command = read(tmp_path, broker, "--part", "1")
    command.environment["TERM"] = "xterm-256color"
    command.start(stdout=slave, stderr=slave)
    os.close(slave)
    shown = shown_by(master)
    assert command.process.wait(30) == 2
    assert b"use --output FILE" in shown
    assert "━".encode() not in shown
    assert len(player.requests) == 1, "it does not wait for the rest"
