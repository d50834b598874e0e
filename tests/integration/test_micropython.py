"""The microcontroller's client under MicroPython's UNIX port, with 48 KiB of heap, against real brokers.

What a board has shown and holds is compared with the truth: what the store, or who publishes, has live.
"""

from __future__ import annotations

import random
import subprocess
from collections import Counter

import msgpack
import pytest

from tests.conftest import need
from tests.crash.truth import read_store
from tests.support.contract_player import Player, mail_id
from tests.support.cuttable import Cuttable
from tests.support.micropython import Board
from tests.support.mosquitto import Mosquitto
from tests.support.system import System
from tests.support.waiting import free_port, until

MAILS, DROPS, LIVE = 200, 50, 100


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate of `localhost` that is its own authority: as PEM with its key, and as DER for the board."""
    directory = tmp_path_factory.mktemp("certificate")
    pem, key, der = (directory / name for name in ("cert.pem", "key.pem", "ca.der"))
    openssl = need("openssl")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", pem],
        check=True, capture_output=True,
    )  # fmt: skip
    subprocess.run([openssl, "x509", "-in", pem, "-outform", "DER", "-out", der], check=True)
    key.chmod(0o644)
    return pem, key, der


class OnMosquitto:
    """mosquitto, and a player of the bridge that keeps the newest 100 live."""

    password = "secret"

    def __init__(self, directory, tls):
        self._tls_port = free_port()
        listener = [f"listener {self._tls_port} 127.0.0.1", f"certfile {tls[0]}", f"keyfile {tls[1]}"] if tls else []
        self._broker = Mosquitto(directory, "max_queued_messages 0", *listener)
        self._tls = tls
        self._next = 0

    def __enter__(self):
        self._broker.start()
        self._player = Player(self._broker)
        self._player.on_request = self._player.mark_seen
        return self

    def __exit__(self, *_):
        self._player.__exit__()
        self._broker.kill()

    def address(self):
        return "127.0.0.1", self._tls_port if self._tls else self._broker.port

    def deliver(self, count):
        for number in range(self._next, self._next + count):
            self._player.deliver(number)
            if number >= LIVE:
                self._player.clear(mail_id(number - LIVE))
        self._next += count

    def live(self):
        self._player.settle()
        return sorted(self._player.live)

    def asked_for_everything(self):
        """How often a device subscribed to all headers."""
        return self._broker.logged("mail/alice/msg/+ (QoS 1)")


class OnEmbedded:
    """A whole Postbell with the embedded broker; mail comes by SMTP, and 100 stay live."""

    def __init__(self, directory, tls):
        settings = {"POSTBELL_RETAIN__COUNT": str(LIVE), "POSTBELL_LOG__LEVEL": "debug"}
        if tls:
            settings |= {
                "POSTBELL_BROKER__TLS_LISTEN": "127.0.0.1:0",
                "POSTBELL_BROKER__TLS_CERT": str(tls[0]),
                "POSTBELL_BROKER__TLS_KEY": str(tls[1]),
            }
        self._system = System(directory, **settings)
        self._tls = tls
        self._next = 0

    def __enter__(self):
        self._system.__enter__()
        self.password = self._system.add("alice", "board")["password"]
        self._system.serve()
        return self

    def __exit__(self, *_):
        self._system.__exit__()

    def address(self):
        host, _, port = self._system.facts("broker")["mqtts" if self._tls else "mqtt"].rpartition(":")
        return host, int(port)

    def deliver(self, count):
        with self._system.smtp() as smtp:
            for number in range(self._next, self._next + count):
                text = f"From: Ada <ada@example.org>\r\nSubject: mail {number}\r\n\r\nWhat it says.\r\n"
                smtp.sendmail("ada@example.org", ["alice@example.org"], text)
        self._next += count

    def live(self):
        self._system.wait_drained()
        return sorted(read_store(self._system.state_dir / "postbell.db")[0]["alice"].live)


ON = pytest.mark.parametrize("kind", [OnMosquitto, OnEmbedded], ids=["mosquitto", "embedded"])
OVER = pytest.mark.parametrize("over", ["tcp", "tls"])


@pytest.fixture
def broker(kind, over, tmp_path, certificate):
    with kind(tmp_path, certificate if over == "tls" else None) as running:
        yield running


def board_on(broker, port, tmp_path, certificate, over, **options):
    authority = certificate[2] if over == "tls" else None
    return Board(tmp_path, port=port, password=broker.password, authority=authority, **options)


def shown_twice(board):
    return [each for each, times in Counter(line[0] for line in board.lines("shown")).items() if times > 1]


@ON
@OVER
def test_200_mails_and_50_drops(broker, tmp_path, certificate, over):
    choose = random.Random(5)
    with Cuttable(broker.address) as link, board_on(broker, link.port, tmp_path, certificate, over) as board:
        board.wait_for("connected")
        for _ in range(DROPS):
            seen = len(board.lines("shown"))
            broker.deliver(MAILS // DROPS)
            if choose.random() < 0.7:  # cut in the middle of it, else once it begins or before it does
                board.wait_for("shown", seen + choose.randrange(1, MAILS // DROPS + 1))
            link.drop()
        truth = broker.live()
        until(lambda: board.live() == truth, what="the truth on the board")
        board.wait_agreed(LIVE)
        assert not shown_twice(board)
        assert len(board.lines("shown")) == MAILS
        used, free, _ = map(int, board.lines("heap")[-1])
        connections, packets, received = map(int, board.lines("counts")[-1])
        measured = f"heap {used} + {free}, {connections} connections, {packets} packets, {received} bytes"
        assert used < 42_000, measured
        assert connections > DROPS // 5, measured


@pytest.mark.parametrize("kind", [OnMosquitto])
@pytest.mark.parametrize("over", ["tcp"])
def test_power_cuts_lose_nothing(broker, tmp_path, certificate, over):
    choose, cuts = random.Random(11), 15
    board = board_on(broker, broker.address()[1], tmp_path, certificate, over)
    for _ in range(cuts):
        shown = len(board.lines("shown")) if board.screen.exists() else 0
        broker.deliver(6)
        with board:
            board.wait_for("shown", shown + choose.randrange(1, 6))
    with board:
        truth = broker.live()
        until(lambda: board.live() == truth, what="the truth on the board")
    assert {line[0] for line in board.lines("shown")} == {mail_id(number) for number in range(6 * cuts)}
    assert len(shown_twice(board)) <= 16 * cuts, "a batch for each cut, at the very most"


@pytest.mark.parametrize("kind", [OnMosquitto])
@pytest.mark.parametrize("over", ["tcp"])
def test_a_line_that_the_power_cut_short_hides_no_other(broker, tmp_path, certificate, over):
    board = board_on(broker, broker.address()[1], tmp_path, certificate, over)
    broker.deliver(1)
    with board:
        board.wait_agreed(1)
    with board.screen.open("ab") as screen:
        screen.write(b"shown 00t64")
    broker.deliver(1)
    with board:
        board.wait_agreed(2)
    assert [line[0] for line in board.lines("shown")] == [mail_id(0), mail_id(1)]


@ON
@OVER
def test_what_was_shown_stays_shown_when_the_power_goes(broker, tmp_path, certificate, over):
    board = board_on(broker, broker.address()[1], tmp_path, certificate, over)
    broker.deliver(30)
    with board:
        board.wait_agreed(30)
    broker.deliver(10)
    with board:
        board.wait_agreed(40)
        assert board.live() == broker.live()
        newest = [board.live()[-1], board.live()[-2]]
        board.order("seen", *newest)
        board.wait_agreed(38)
    with board:
        board.wait_for("connected", 3)
        assert board.live() == broker.live()
        assert not set(newest) & set(board.live())
        board.order("headers", 3)
        assert [line[0] for line in board.wait_for("header", 3)] == board.live()[:-4:-1]
        assert ["?"] not in [line[1:] for line in board.lines("header")]
    assert not shown_twice(board)
    assert len(board.lines("shown")) == 40


@pytest.mark.parametrize("kind", [OnMosquitto])
@pytest.mark.parametrize("over", ["tcp"])
def test_a_device_that_returns_asks_for_nothing_it_was_told(broker, tmp_path, certificate, over):
    broker.deliver(5)
    board = board_on(broker, broker.address()[1], tmp_path, certificate, over)
    for live in (5, 6, 7):
        with board:
            board.wait_agreed(live)
        broker.deliver(1)
    assert broker.asked_for_everything() == 1


@ON
@pytest.mark.parametrize("over", ["tls"])
def test_awake_for_a_moment_it_fetches_what_is_new(broker, tmp_path, certificate, over):
    board = board_on(broker, broker.address()[1], tmp_path, certificate, over, asleep=True)
    for live in (20, 40, 60):
        broker.deliver(20)
        truth = broker.live()
        with board:
            assert board.ask("fetched", "fetch", 20_000) == ["True"]
            assert board.live() == truth
        assert len(board.lines("shown")) == live
    assert not shown_twice(board)


@pytest.mark.parametrize("kind", [OnEmbedded])
@pytest.mark.parametrize("over", ["tcp"])
def test_a_body_is_read_in_pieces_that_fit(broker, tmp_path, certificate, over):
    broker.deliver(1)
    with board_on(broker, broker.address()[1], tmp_path, certificate, over) as board:
        board.wait_agreed(1)
        (request_id,) = board.ask("asked", "ask", "text", board.live()[0], 0, 9)
        (reply,) = board.wait_for("reply")
        assert reply[:3] == [request_id, "0", "0"]
        assert reply[4] == "9"


@pytest.mark.parametrize("kind", [OnMosquitto])
@pytest.mark.parametrize("over", ["tcp"])
def test_what_does_not_fit_is_live_and_stops_nothing(broker, tmp_path, certificate, over):
    player = broker._player
    player.live[mail_id(500)] = b"x" * 5000
    player.publish(f"msg/{mail_id(500)}", b"x" * 5000)
    player.publish("re/board", msgpack.packb([1, 7, 0, 0, 3000, b"y" * 3000]), retain=False)
    player.publish(f"msg/{mail_id(501)}", b"\xc1")
    player.live[mail_id(501)] = b"\xc1"
    broker.deliver(70)
    with board_on(broker, broker.address()[1], tmp_path, certificate, over) as board:
        board.wait_agreed(72)
        broker.deliver(1)
        board.wait_agreed(73)
        assert len(board.lines("shown")) == 71


@pytest.mark.parametrize("kind", [OnMosquitto])
@pytest.mark.parametrize("over", ["tcp"])
def test_more_live_mails_than_fit(broker, tmp_path, certificate, over):
    player = broker._player
    player.deliver(*range(200))
    with board_on(broker, broker.address()[1], tmp_path, certificate, over) as board:
        board.wait_agreed(128)
        assert board.live() == broker.live()[-128:]
        player.clear(*broker.live()[-100:])
        board.wait_agreed(100)
    assert not shown_twice(board)


@pytest.mark.parametrize("kind", [OnMosquitto])
@pytest.mark.parametrize("over", ["tls"])
def test_a_broker_that_shows_another_certificate_is_not_talked_to(broker, tmp_path, over):
    pem = tmp_path / "other.der"
    openssl = need("openssl")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=other", "-keyout", tmp_path / "other.key", "-outform", "DER", "-out", pem],
        check=True, capture_output=True,
    )  # fmt: skip
    with board_on(broker, broker.address()[1], tmp_path, (None, None, pem), over) as board:
        board.wait_for("says")
        assert "CERT" in " ".join(board.lines("says")[0]).upper()
        assert not board.lines("shown")
