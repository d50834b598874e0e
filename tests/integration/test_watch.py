"""`python -m clients watch` against a real mosquitto: shown once, whatever happens."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from clients.backoff import Backoff
from clients.endpoint import parse_endpoint
from clients.login import Login
from clients.session import Session
from tests.conftest import need
from tests.support.contract_player import (
    Command,
    Player,
    header,
    mail_id,
)
from tests.support.mosquitto import Mosquitto
from tests.support.pseudo_terminal import PseudoTerminal
from tests.support.waiting import free_port, until


@pytest.fixture
def broker(tmp_path):
    with Mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def player(broker):
    with Player(broker) as connected:
        yield connected


def ids_in(lines):
    return [json.loads(line)["id"] for line in lines]


def ids_of(*numbers):
    return [mail_id(number) for number in numbers]


def test_shows_all_once_over_restarts_and_subscribes_once(tmp_path, broker, player):
    player.deliver(0, 1, 2)
    player.settle()
    watch = Command(tmp_path, broker, "--json")
    with watch:
        assert ids_in(watch.await_lines(3)) == ids_of(0, 1, 2)
        player.deliver(3)
        watch.await_lines(4)
        assert watch.end() == 0
    player.deliver(4, 5)
    player.settle()
    with watch:
        watch.await_lines(6)
        assert watch.end() == 0
    with watch:
        player.deliver(6)
        assert ids_in(watch.await_lines(7)) == ids_of(*range(7))
        assert watch.end() == 0
    assert broker.replayed("alice:phone") == 3, "nothing was told twice"
    assert broker.logged("mail/alice/box (QoS 1)") == 3, "but the digest is, at each connection"


def test_json_line_has_the_documented_keys(tmp_path, broker, player):
    player.deliver(0, subject="Grüße \x1b[31m \u2028 \x9b2J")
    with Command(tmp_path, broker, "--json") as watch:
        line = watch.await_lines(1)[0]
    assert not {"\x1b", "\x9b", "\u2028"} & set(line)
    shown = json.loads(line)
    assert list(shown) == [
        "id",
        "received",
        "from_name",
        "from_address",
        "subject",
        "snippet",
        "size",
        "flags",
        "detail",
        "date",
    ]
    assert shown["received"] == "2025-11-22T12:04:16.789Z"
    assert (shown["flags"], shown["date"], shown["size"]) == (["authenticated"], None, 100)
    assert shown["subject"].startswith("Grüße")


@pytest.mark.crash
def test_killed_at_any_instant_it_shows_each_message_once(tmp_path, broker, player):
    count, choose = 300, random.Random(7)
    watch = Command(tmp_path, broker, "--json")

    def publish():
        for number in range(count):
            player.deliver(number)
            player.settle()

    publisher = threading.Thread(target=publish)
    publisher.start()
    kills = 0
    while publisher.is_alive() or kills < 15:
        with watch:
            before = len(watch.lines)
            wanted = min(count, before + choose.randrange(1, 30))
            watch.await_lines(wanted)
            watch.end(signal.SIGKILL)
            kills += 1
    publisher.join()
    with watch:
        until(lambda: len(watch.lines) >= count, what="the last lines")
        watch.end()
    shown = Counter(ids_in(watch.lines))
    assert [each for each, times in shown.items() if times > 1] == []
    assert set(shown) == set(ids_of(*range(count)))
    assert broker.replayed("alice:phone") <= 2 * count, "all of it is asked for at first, and then once at most"


class DyingListener:
    """Dies when a message comes, as a process may before the message is on record."""

    def __init__(self):
        self.came = []
        self.dies = True

    def received(self, topic, payload, *, retained):
        if self.dies:
            raise KeyboardInterrupt
        self.came.append((topic, payload, retained))

    def connected(self, *, session_present, version):
        self.session_present, self.version = session_present, version

    def subscribing(self):
        pass

    def subscribed(self, subscription):
        self.subscription = subscription

    def unheard(self, reason):
        pytest.fail(reason)

    def disconnected(self, reason, *, retry_s):
        pytest.fail(f"{reason}, again in {retry_s} s")


def test_what_was_not_recorded_is_delivered_again_by_the_session(broker, player):
    listener = DyingListener()
    topic = f"mail/alice/msg/{mail_id(0)}"
    backoff = Backoff(jitter=lambda: 0.5)

    def new_session(subscription):
        return Session(
            Login(parse_endpoint(broker.url), "alice.phone", "secret", 60),
            filters=(topic,),
            subscription=subscription,
            listener=listener,
            clock=time.monotonic,
            asleep=lambda: 0.0,
            backoff=backoff,
        )

    def steps(session, condition):
        until(lambda: session.step(0.01) is None or condition(), what="the session")

    first = new_session("")
    steps(first, lambda: hasattr(listener, "subscription"))
    player.deliver(0)
    with pytest.raises(KeyboardInterrupt):
        steps(first, lambda: False)
    first._client.socket().close()
    listener.dies = False
    backoff.tries = 7
    second = new_session(listener.subscription)
    steps(second, lambda: listener.came)
    assert listener.session_present
    assert backoff.tries == 0
    assert listener.came == [(topic, header(0), False)]
    second.close()
    assert (listener.version, broker.replayed("alice:phone")) == ("5", 0)


def test_broker_that_forgot_everything_is_subscribed_again_and_nothing_is_shown_twice(tmp_path, broker, player):
    player.deliver(0, 1)
    with Command(tmp_path, broker, "--json") as watch:
        watch.await_lines(2)
        broker.kill()
        broker.start()
        until(lambda: broker.logged("Received SUBSCRIBE from player") == 2, what="the player to be back")
        for each, payload in player.live.items():
            player.publish(f"msg/{each}", payload)
        player.deliver(2)
        assert ids_in(watch.await_lines(3)) == ids_of(0, 1, 2)
        until(lambda: broker.logged("Received SUBSCRIBE from alice:phone") == 2, what="the second subscription")
        player.deliver(3)
        assert ids_in(watch.await_lines(4)) == ids_of(0, 1, 2, 3)


def test_heals_what_the_broker_lost_and_drops_leftovers(tmp_path):
    with Mosquitto(tmp_path, "max_queued_messages 5") as broker, Player(broker) as player:
        player.deliver(0, 1, 2)
        watch = Command(tmp_path, broker, "--json", "--gone")
        with watch:
            watch.await_lines(3)
            watch.end()
        player.deliver(*range(3, 13))
        player.clear(*ids_of(0, 1, 2))
        player.settle()
        with watch:
            until(lambda: len(watch.lines) > 3, what="what the broker had kept")
            lines = [json.loads(line) for line in watch.await_lines(16)]
        shown = [line["id"] for line in lines if "gone" not in line]
        assert sorted(shown) == ids_of(*range(13))
        assert len(shown) == len(set(shown))
        assert sorted(line["id"] for line in lines if line.get("gone")) == ids_of(0, 1, 2)


def test_journal_that_lost_its_end_with_the_power_is_found_out_without_new_mail(tmp_path, broker, player):
    player.deliver(0)
    watch, journal = Command(tmp_path, broker, "--json"), tmp_path / "state"
    with watch:
        watch.await_lines(1)
        until(lambda: b"subscribed" in journal.read_bytes(), what="the subscription on record")
        before = journal.read_bytes()
        player.deliver(1)
        watch.await_lines(2)
        player.settle()
        assert watch.end() == 0, "and the broker was told that both are on record"
    journal.write_bytes(before)
    with watch:
        assert ids_in(watch.await_lines(3)) == ids_of(0, 1, 1), "rather again than never"


def test_session_without_its_filters_is_found_out(tmp_path, broker, player):
    """A broker that was killed between saving the session and saving its filters comes back like this."""
    player.deliver(0)
    watch = Command(tmp_path, broker, "--json")
    with watch:
        watch.await_lines(1)
        watch.end()
    saboteur = paho.Client(CallbackAPIVersion.VERSION2, client_id="alice:phone", clean_session=False)
    undone = threading.Event()
    saboteur.on_unsubscribe = lambda *_: undone.set()
    saboteur.connect("127.0.0.1", broker.port)
    saboteur.loop_start()
    saboteur.unsubscribe(["mail/alice/msg/+", "mail/alice/box", "mail/alice/re/phone"])
    assert undone.wait(30)
    saboteur.disconnect()
    saboteur.loop_stop()
    player.deliver(1)
    with watch:
        assert ids_in(watch.await_lines(2)) == ids_of(0, 1), "the digest told"
        player.deliver(2)
        assert ids_in(watch.await_lines(3)) == ids_of(0, 1, 2), "and all is subscribed to again"
    assert broker.logged("mail/alice/re/phone (QoS 1)") >= 2


def test_plain_lines_in_a_pipe_are_silent_about_what_vanishes(tmp_path, broker, player):
    player.deliver(0, subject="one")
    with Command(tmp_path, broker) as watch:
        watch.await_lines(1)
        player.clear(mail_id(0))
        player.deliver(1, subject="two")
        first, second = watch.await_lines(2)
    assert first.endswith("Ada: one – what it says  [authenticated]")
    assert second.endswith("Ada: two – what it says  [authenticated]")


def test_exec_gets_json_on_stdin_and_no_mail_text_in_the_shell(tmp_path, broker, player):
    hostile = "\"; touch pwned; $(touch pwned) `touch pwned` ' | touch pwned"
    player.deliver(0, subject=hostile)
    command = f"cat >> {tmp_path}/got; echo $POSTBELL_ID ${{POSTBELL_PASSWORD-none}} >> {tmp_path}/ids"
    with Command(tmp_path, broker, "--json", "--exec", command) as watch:
        watch.await_lines(1)
        player.deliver(1)
        watch.await_lines(2)
        assert watch.end() == 0
    got = [json.loads(line) for line in (tmp_path / "got").read_text().splitlines()]
    assert sorted(each["id"] for each in got) == ids_of(0, 1)
    assert hostile in {each["subject"] for each in got}
    assert sorted((tmp_path / "ids").read_text().splitlines()) == [f"{each} none" for each in ids_of(0, 1)]
    assert not list(tmp_path.rglob("pwned"))


def test_ack_marks_all_that_was_shown_as_seen_also_after_a_crash(tmp_path, broker, player):
    player.deliver(0, 1)
    watch = Command(tmp_path, broker, "--json")
    with watch:
        watch.await_lines(2)
        watch.end(signal.SIGKILL)
    player.on_request = player.mark_seen
    watch.arguments.append("--ack")
    with watch:
        until(lambda: not player.live, what="the first two to be marked as seen")
        player.deliver(2)
        until(lambda: not player.live, what="the third to be marked as seen")
    assert ids_in(watch.lines) == ids_of(0, 1, 2)
    asked = [each for request in player.requests for each in request[3:]]
    assert set(asked) == set(ids_of(0, 1, 2))


def test_ack_marks_what_comes_back_after_it_was_shown(tmp_path, broker, player):
    """A ring full of messages that nobody marks any more would let nothing else back in."""
    player.deliver(0)
    watch = Command(tmp_path, broker, "--json", "--gone")
    with watch:
        watch.await_lines(1)
        player.clear(mail_id(0))
        watch.await_lines(2)
        watch.end(signal.SIGKILL)
    player.on_request = player.mark_seen
    watch.arguments.append("--ack")
    with watch:
        until(lambda: watch.complaints.count("connected") == 2, what="the second watcher")
        player.deliver(0)
        until(lambda: player.requests and not player.live, what="the message to be marked as seen")
        watch.await_lines(3)
    assert [json.loads(line).get("gone", False) for line in watch.lines] == [False, True, True]


def test_ack_asks_again_when_the_bridge_says_later(tmp_path, broker, player):
    refusals = iter([5, 6])

    def on_request(request):
        status = next(refusals, None)
        return player.mark_seen(request) if status is None else [[1, request[1], status, 0, 0, "later"]]

    player.on_request = on_request
    player.deliver(0)
    with Command(tmp_path, broker, "--json", "--ack") as watch:
        watch.await_lines(1)
        until(lambda: not player.live, what="the message to be marked as seen")
    assert len(player.requests) == 3


def test_second_watcher_of_a_device_refuses(tmp_path, broker):
    with Command(tmp_path, broker, "--json") as watch:
        until(lambda: "connected" in watch.complaints, what="the first watcher")
        second = Command(tmp_path, broker, "--json")
        second.err = tmp_path / "second.err"
        assert second.run() == 1
        assert "another process uses the state file" in second.complaints
        assert "postbell inbox alice/phone" in second.complaints, "what to do instead"
        assert watch.process.poll() is None


def test_refused_login_is_said_and_fails(tmp_path):
    passwords = tmp_path / "passwords"
    subprocess.run([need("mosquitto_passwd"), "-b", "-c", passwords, "alice.phone", "other"], check=True)
    with Mosquitto(tmp_path, f"password_file {passwords}") as broker:
        watch = Command(tmp_path, broker, "--json")
        assert watch.run() == 1
        assert "refused the login alice.phone" in watch.complaints
        assert "secret" not in watch.complaints


def test_waits_for_a_broker_that_comes_later(tmp_path):
    broker = Mosquitto(tmp_path)
    with Command(tmp_path, broker, "--json") as watch:
        until(lambda: "trying again" in watch.complaints, what="the first try to fail")
        with broker, Player(broker) as player:
            player.deliver(0)
            watch.await_lines(1)


def test_closed_pipe_ends_it_quietly_and_the_message_is_shown_by_the_next_run(tmp_path, broker, player):
    watch = Command(tmp_path, broker, "--json")
    watch.start(stdout=subprocess.PIPE)
    watch.process.stdout.close()
    player.deliver(0)
    assert watch.process.wait(30) == 1
    assert watch.complaints.splitlines() == ["postbell: connected, MQTT 5"], "head and its like have seen enough"
    with watch:
        assert ids_in(watch.await_lines(1)) == ids_of(0)


def test_websocket(tmp_path):
    port = free_port()
    with Mosquitto(tmp_path, f"listener {port} 127.0.0.1", "protocol websockets") as broker:
        if broker.logged("Websockets support not available"):
            pytest.skip("needs a mosquitto with WebSocket")
        with Player(broker) as player:
            player.deliver(*range(30))
            player.settle()
            watch = Command(tmp_path, broker, "--json", "--url", f"ws://127.0.0.1:{port}/mqtt")
            with watch:
                watch.await_lines(30)
                player.deliver(30)
                assert ids_in(watch.await_lines(31)) == ids_of(*range(31))


def test_tls_with_a_certificate_that_is_checked(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = [need("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    make += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    port = free_port()
    tls = (f"listener {port} 127.0.0.1", f"certfile {certificate}", f"keyfile {key}")
    with Mosquitto(tmp_path, *tls) as broker, Player(broker) as player:
        player.deliver(*range(30))
        url = f"mqtts://localhost:{port}"
        strict = Command(tmp_path, broker, "--json", "--url", url)
        with strict:
            until(lambda: "certificate" in strict.complaints.lower(), what="the certificate to be refused")
        assert strict.lines == []
        with Command(tmp_path, broker, "--json", "--url", url, "--ca-file", str(certificate)) as watch:
            assert ids_in(watch.await_lines(30)) == ids_of(*range(30))


def test_on_a_terminal_keys_mark_as_seen_and_vanished_mail_is_struck_out(tmp_path, broker, player):
    player.on_request = player.mark_seen
    player.deliver(0, subject="elsewhere")
    player.deliver(1, subject="evil \x1b]0;title\x07 \x1b[2J \x9b31m \u202egpj.exe")
    watch = Command(tmp_path, broker)
    watch.environment["TERM"] = "xterm-256color"
    terminal = PseudoTerminal(watch)
    until(lambda: terminal.shows("elsewhere"), what="the first mail")
    until(lambda: terminal.shows("evil"), what="the second mail")
    for attack in (b"\x1b]", b"\x1b[2J", b"\xc2\x9b", "\u202e".encode()):
        assert attack not in terminal.shown
    player.clear(mail_id(0))
    until(lambda: b"\x1b[2;9m" in terminal.shown or terminal.shows("never"), what="the struck line")
    terminal.press("s")
    until(lambda: not player.live, what="the key to mark the newest as seen")
    player.deliver(2, 3)
    until(lambda: terminal.shows("mail 3"), what="two more")
    terminal.press("a")
    until(lambda: not player.live, what="the key to mark all as seen")
    terminal.press("q")
    assert watch.process.wait(30) == 0
    os.close(terminal.master)


def test_header_of_another_version_is_skipped_and_said_once(tmp_path, broker, player):
    for number in (0, 1):
        player.live[mail_id(number)] = b"\x92\x02\x00"
        player.publish(f"msg/{mail_id(number)}", b"\x92\x02\x00")
    player.publish("msg/not-an-id", header(5))
    player.deliver(2)
    with Command(tmp_path, broker, "--json") as watch:
        assert ids_in(watch.await_lines(1)) == ids_of(2)
        player.deliver(3)
        watch.await_lines(2)
        assert watch.complaints.count("another version") == 1
    assert broker.logged("Received SUBSCRIBE from alice:phone") == 1
