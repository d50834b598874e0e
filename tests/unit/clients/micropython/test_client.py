"""The client's conversation with a broker that is played, in time that is played: days take no time."""

from __future__ import annotations

import types

import msgpack
import pytest

from clients.micropython import postbell
from clients.micropython.postbell import Client, RefusedError
from tests.support import mqtt_client as mqtt
from tests.unit.clients.micropython.test_box import IDS, digest, header

FILTERS = ("mail/alice/msg/+", "mail/alice/box", "mail/alice/re/board")


class World:
    """Time, the network and the broker, as the modules that the client imports."""

    POLLIN, SOCK_STREAM = 1, 1

    def __init__(self):
        self.now = 0
        self.code: int | None = 0
        self.present = False
        self.granted, self.room = b"\1", True
        self.reachable, self.forgets_ms, self.confirms = True, None, True
        self.connects = []
        self.packets = []
        self.incoming = b""
        self.dead = self.open = False
        self.used = 0
        self.on_publish = lambda _payload: []

    # time
    def ticks_ms(self):
        return self.now % 2**30

    def ticks_diff(self, new, old):
        return (new - old + 2**29) % 2**30 - 2**29

    def sleep_ms(self, wait):
        self.now += wait

    def time(self):
        return self.now // 1000

    # select
    def poll(self, *wait):
        if wait and not self.incoming:
            self.now += wait[0]
        return [1] if self.incoming or not wait else []

    def register(self, *_):
        pass

    unregister = register

    # socket
    def getaddrinfo(self, host, port, *_):
        return [(2, 1, 0, "", (host, port))]

    def socket(self, _family):
        return self

    def settimeout(self, _seconds):
        pass

    setblocking = settimeout

    def connect(self, _address):
        self.connects.append(self.now)
        if not self.reachable:
            raise OSError("unreachable")
        self.incoming, self.dead, self.open, self.used = b"", False, True, self.now

    def close(self):
        self.open = False

    def readinto(self, view):
        if not self.open:
            return 0
        taken, self.incoming = self.incoming[: len(view)], self.incoming[len(view) :]
        view[: len(taken)] = taken
        return len(taken) or None

    def write(self, data):
        if not self.room:
            return None
        self._touch()
        if not self.dead:
            self._take(bytes(data))
        return len(data)

    # what the tests say
    def send(self, data):
        """From the broker, if the network lets it through."""
        self._touch()
        if not self.dead:
            self.incoming += data

    def mail(self, topic, payload, **options):
        self.send(mqtt.publish(topic, payload, qos=1, **options))

    def _touch(self):
        if self.forgets_ms and self.now - self.used > self.forgets_ms:
            self.dead = True
        self.used = self.now

    def _take(self, data):
        while data:
            length = shift = 0
            at = 1
            while True:
                length |= (data[at] & 127) << shift
                shift, at = shift + 7, at + 1
                if data[at - 1] < 128:
                    break
            one, data = mqtt.Packet(data[0] >> 4, data[0] & 15, data[at : at + length]), data[at + length :]
            self.packets.append(one)
            self._answer(one)

    def _answer(self, one):
        if one.kind == mqtt.CONNECT and self.code is not None:
            self.incoming += bytes([0x20, 2, self.present, self.code])
        elif one.kind == mqtt.SUBSCRIBE and self.confirms:
            self.incoming += mqtt.packet(mqtt.SUBACK, one.body[:2] + self.granted * len(self.filters(one)))
        elif one.kind == mqtt.PINGREQ:
            self.incoming += b"\xd0\0"
        elif one.kind == mqtt.PUBLISH:
            self.incoming += mqtt.puback(one.packet_id)
            for reply in self.on_publish(msgpack.unpackb(one.payload)):
                self.incoming += mqtt.publish(FILTERS[2], msgpack.packb(reply), qos=1, packet_id=9)

    @staticmethod
    def filters(one):
        found, body = [], one.body[2:]
        while body:
            size = int.from_bytes(body[:2], "big")
            found.append(body[2 : 2 + size].decode())
            body = body[3 + size :]
        return tuple(found)

    def subscribed(self):
        return [self.filters(one) for one in self.packets if one.kind == mqtt.SUBSCRIBE]

    def kinds(self, kind):
        return [one for one in self.packets if one.kind == kind]


class Told(Client):
    """A client that keeps what it tells."""

    shown: list[str]
    said: list[str]
    replies: list[tuple[object, ...]]


@pytest.fixture
def world(monkeypatch):
    played = World()
    for name in ("time", "socket"):
        monkeypatch.setattr(postbell, name, played)
    monkeypatch.setattr(postbell, "select", types.SimpleNamespace(poll=lambda: played, POLLIN=1))
    return played


@pytest.fixture
def started(world, tmp_path):
    """Makes clients on one state file; what they showed and said is on them."""

    def start(**options):
        shown, said, replies = [], [], []
        client = Told(
            "broker",
            "alice",
            "board",
            "secret",
            path=str(tmp_path / "state"),
            network="home",
            show=lambda mail_id, _header: shown.append(mail_id),
            vanish=lambda *_: None,
            reply=lambda *reply: replies.append(reply),
            say=said.append,
            random=lambda: 0.5,
            **options,
        )
        client.shown, client.said, client.replies = shown, said, replies
        return client

    del world
    return start


def run(client, world, until_ms):
    while world.now < until_ms:
        client.step(until_ms - world.now)


def settle(client):
    for _ in range(8):
        client.step(0)


def test_it_logs_in_as_the_page_says(world, started):
    settle(started())
    (connect,) = world.kinds(mqtt.CONNECT)
    assert connect.body == (
        b"\0\4MQTT\4\xc0" + (1800).to_bytes(2, "big") + mqtt.text("alice:board") + mqtt.text("alice.board")
        + mqtt.text("secret")
    )  # fmt: skip


def test_three_filters_once_and_two_at_each_return(world, started):
    client = started()
    settle(client)
    client.close()
    world.present = True
    settle(started())
    assert world.subscribed() == [FILTERS, FILTERS[1:]]
    world.present = False
    again = started()
    settle(again)
    again.close()
    world.present = True
    elsewhere = started(port=1884)
    settle(elsewhere)
    assert world.subscribed()[2:] == [FILTERS, FILTERS], "the session is new; the broker is another"


def test_a_death_before_the_suback_is_a_subscription_that_never_was(world, started):
    settle(started())
    world.present = world.confirms = False
    settle(started())
    assert world.subscribed() == [FILTERS, FILTERS]
    world.present = True
    settle(started())
    assert world.subscribed()[2] == FILTERS


def test_packet_ids_wrap_and_are_never_zero(world, started):
    client = started()
    settle(client)
    client._packet_id = 65_533
    for _ in range(4):
        assert client.ask("parts", IDS[0]) >= 0
    assert [one.packet_id for one in world.kinds(mqtt.PUBLISH)] == [65_534, 65_535, 1, 2]


def test_what_was_said_is_in_flash_before_it_is_acknowledged(world, started, monkeypatch):
    order, flush, write = [], postbell.Journal.flush, world._take

    def flushed(journal):
        if journal._dirty:
            order.append("flash")
        flush(journal)

    client = started()
    settle(client)
    monkeypatch.setattr(postbell.Journal, "flush", flushed)

    def sent(data):
        order.append(data[0] >> 4)
        write(data)

    world._take = sent
    for number in range(3):
        world.mail(f"mail/alice/msg/{IDS[number]}", header("x"), packet_id=number + 1)
    settle(client)
    assert client.shown == IDS[:3]
    assert order == ["flash", mqtt.PUBACK], "one write to flash and one packet for what came together"
    assert [one.packet_id for one in world.kinds(mqtt.PUBACK)] == [1, 2, 3]


def test_what_cannot_be_recorded_is_not_acknowledged(world, started, monkeypatch):
    client = started()
    settle(client)

    def full(_journal):
        raise postbell.StorageError("full")

    monkeypatch.setattr(postbell.Journal, "flush", full)
    world.mail(f"mail/alice/msg/{IDS[0]}", header("x"))
    with pytest.raises(postbell.StorageError):
        settle(client)
    assert not world.kinds(mqtt.PUBACK)


def test_a_packet_that_comes_in_pieces_and_one_too_long(world, started):
    client = started()
    settle(client)
    one = mqtt.publish(f"mail/alice/msg/{IDS[0]}", header("é" * 60), qos=1, packet_id=7)
    for octet in one:
        world.send(bytes([octet]))
        client.step(0)
    world.mail(f"mail/alice/msg/{IDS[1]}", b"x" * 100_000, packet_id=8)
    world.mail(f"mail/alice/msg/{IDS[2]}", header("z"), packet_id=9)
    world.mail("mail/alice/box", digest(IDS[:3]), packet_id=10)
    settle(client)
    assert client.shown == [IDS[0], IDS[2]]
    assert [one.packet_id for one in world.kinds(mqtt.PUBACK)] == [7, 8, 9, 10]
    assert client.box.agrees(client.box.digest)


@pytest.mark.parametrize("data", [b"\x30\xff\xff\xff\xff\xff\xff", mqtt.packet(3, b"\xff\xff" + b"x" * 90, 2)])
def test_what_is_not_mqtt_ends_the_connection(world, started, data):
    client = started()
    settle(client)
    world.send(data)
    client.step(0)
    assert not client.up
    assert client.said == ["lost: not MQTT"]


def test_a_refused_login_is_said_at_once_and_a_known_one_is_tried_again(world, started):
    world.code = 5
    with pytest.raises(RefusedError):
        settle(started())
    world.code = 0
    client = started()
    settle(client)
    world.code = 5
    world.send(b"\x30\xff\xff\xff\xff")
    with pytest.raises(RefusedError):
        run(client, world, world.now + 600_000)
    assert len(world.connects) == 2 + 5


def test_a_broker_that_does_not_answer_is_left(world, started):
    world.code = None
    client = started()
    run(client, world, 15_000)
    assert client.said == ["lost: no CONNACK"]
    assert len(world.connects) == 2
    world.code = 0
    run(client, world, 30_000)
    assert client.up


def test_a_broker_that_takes_nothing_is_left(world, started):
    client = started()
    settle(client)
    world.room = False
    assert client.ask("parts", IDS[0]) == -1
    assert client.said == ["lost: no room"]
    assert not client.up
    assert client.ask("parts", IDS[0]) == -1


def test_a_packet_before_connack_is_not_mqtt(world, started):
    world.code = None
    client = started()
    client.step(0)
    world.mail("mail/alice/box", digest([]))
    client.step(0)
    assert client.said == ["lost: not MQTT"]


def test_topics_that_are_refused_are_no_reason_to_go_on(world, started):
    world.granted = b"\x80"
    client = started()
    with pytest.raises(RefusedError):
        settle(client)
    assert not client.up


def test_what_cannot_be_read_is_said_once_and_acknowledged(world, started):
    client = started()
    settle(client)
    for number, (topic, payload) in enumerate([
        ("mail/bob/box", digest([])),
        ("post/alice/box", digest([])),
        ("mail/alice/msg/hello", header("x")),
        ("mail/alice/box", b"\x91\x02"),
        ("mail/alice/box", b"x" * 2000),
        ("mail/alice/box", b""),
        ("mail/alice/re/board", b"\xc1"),
        (f"mail/alice/msg/{IDS[0]}", b"\x91\x02"),
        (f"mail/alice/msg/{IDS[0]}", b"\x91\x02"),
    ]):  # fmt: skip
        world.mail(topic, payload, packet_id=number + 1)
        settle(client)
    assert client.said == ["skipped: malformed", "skipped: version"]
    assert len(world.kinds(mqtt.PUBACK)) == 9
    assert client.memory.get(IDS[0]) & 7 == postbell.LIVE


def test_a_screen_that_fails_leaves_the_mail_for_the_next_time(world, started):
    client = started()
    settle(client)
    show, client.box._show = client.box._show, lambda *_: 1 // 0
    world.mail(f"mail/alice/msg/{IDS[0]}", header("x"))
    with pytest.raises(ZeroDivisionError):
        settle(client)
    assert not world.kinds(mqtt.PUBACK)
    client.box._show = show
    world.present = True
    settle(client)
    world.mail(f"mail/alice/msg/{IDS[0]}", header("x"), dup=True)
    settle(client)
    assert client.shown == [IDS[0]]
    assert len(world.kinds(mqtt.PUBACK)) == 1


@pytest.mark.usefixtures("world")
def test_a_name_that_is_none_is_refused(tmp_path):
    with pytest.raises(postbell.ContractError):
        Client("broker", "Alice", "board", "secret", path=str(tmp_path / "state"))


def test_a_box_that_went_astray_is_asked_for_again(world, started):
    client = started()
    with_mail(client, world)
    world.mail("mail/alice/box", digest([IDS[0], IDS[2], IDS[5]]), packet_id=50)
    run(client, world, world.now + 3_900)
    assert world.subscribed() == [FILTERS]
    run(client, world, world.now + 200)
    assert world.subscribed() == [FILTERS, FILTERS]
    for place in (0, 2, 5):
        world.mail(f"mail/alice/msg/{IDS[place]}", header("x"), retain=True, packet_id=60 + place)
    world.mail("mail/alice/box", digest([IDS[0], IDS[2], IDS[5]]), retain=True, packet_id=70)
    settle(client)
    assert sorted(client.memory.ids(postbell.LIVE)) == [IDS[0], IDS[2], IDS[5]]
    assert client.shown == [*IDS[:3], IDS[5]]
    run(client, world, world.now + 100_000)
    assert len(world.subscribed()) == 2


def test_the_waits_double_up_to_half_a_minute(world, started):
    world.reachable = False
    run(started(), world, 300_000)
    waits = [later - earlier for earlier, later in zip(world.connects, world.connects[1:], strict=False)]
    assert waits[:9] == [187, 375, 750, 1500, 3000, 6000, 12_000, 22_500, 22_500]


def test_an_idle_day_finds_the_networks_interval_and_remembers_it(world, started):
    world.forgets_ms = 600_000
    client = started()
    run(client, world, 86_400_000)
    assert 540 <= client.keepalive.low_s <= 600
    connects = len(world.connects)
    assert 2 <= connects <= 4
    pings = len(world.kinds(mqtt.PINGREQ))
    client.close()
    world.present = True
    again = started()
    assert again.keepalive.low_s == client.keepalive.low_s
    run(again, world, 2 * 86_400_000)
    assert len(world.connects) == connects + 1, "a known network costs no connection"
    assert len(world.kinds(mqtt.PINGREQ)) - pings <= 1.15 * 86_400 / 600


def test_a_network_that_is_down_teaches_nothing(world, started):
    client = started()
    run(client, world, 1_000_000)
    low = client.keepalive.low_s
    assert low >= 360
    world.dead, world.reachable = True, False
    run(client, world, 2_000_000)
    world.reachable = True
    run(client, world, 2_100_000)
    assert client.up
    assert (client.keepalive.low_s, client.keepalive.high_s) == (low, 0)


def test_a_request_on_an_old_connection_finds_out_that_it_is_dead(world, started):
    client = started()
    run(client, world, 100_000)
    world.dead = True
    assert client.ask("parts", IDS[0]) >= 0
    run(client, world, 125_000)
    assert len(world.connects) == 2
    assert client.up


def test_clocks_that_wrap_are_no_end(world, started):
    client = started()
    run(client, world, 40 * 86_400_000)
    assert client.clock() == world.now
    assert len(world.connects) == 1


# --- seen -------------------------------------------------------------------------------------------


def with_mail(client, world, count=3):
    settle(client)
    for number in range(count):
        world.mail(f"mail/alice/msg/{IDS[number]}", header("x"), packet_id=number + 1)
    world.mail("mail/alice/box", digest(IDS[:count]), packet_id=99)
    settle(client)
    assert client.box.agrees(client.box.digest)


def test_seen_is_asked_until_the_bridge_says_so(world, started):
    client, answers = started(), [[], [5], [6], [0]]
    with_mail(client, world)
    asked = []

    def bridge(request):
        asked.append((world.now, request[2:]))
        return [[1, request[1], status, 0, 0, b"" if not status else "later"] for status in answers.pop(0)]

    world.on_publish = bridge
    client.seen(IDS[0], IDS[2], IDS[9])
    run(client, world, world.now + 60_000)
    assert [request for _, request in asked] == [["seen", IDS[0], IDS[2]]] * 4
    assert [moment - asked[0][0] for moment, _ in asked] == [0, 10_000, 10_750, 12_250]
    assert next(client.memory.ids(postbell.WANTED), None) is None
    assert not client.replies


def test_many_are_marked_a_few_at_a_time_and_a_refusal_is_said(world, started):
    client = started()
    settle(client)
    ids = [postbell.id_text(3, number) for number in range(45)]
    for number, mail_id in enumerate(ids):
        world.mail(f"mail/alice/msg/{mail_id}", header("x"), packet_id=number + 1)
        settle(client)
    asked = []

    def bridge(request):
        asked.append(request[3:])
        return [[1, request[1], 2, 0, 0, "no such message"]]

    world.on_publish = bridge
    client.seen(*ids)
    settle(client)
    assert [len(each) for each in asked] == [20, 20, 5]
    assert sorted(mail_id for each in asked for mail_id in each) == ids
    assert client.said == ["seen: no such message"]


def test_seen_survives_a_power_cut(world, started):
    client = started()
    with_mail(client, world)
    client.seen(IDS[1])
    world.present = True
    asked = []

    def bridge(request):
        asked.append(request[2:])
        return [[1, request[1], 0, 0, 0, b""]]

    world.on_publish = bridge
    again = started()
    settle(again)
    assert asked == [["seen", IDS[1]]]
    world.mail(f"mail/alice/msg/{IDS[1]}", b"", packet_id=1)
    settle(again)
    assert again.memory.get(IDS[1]) & 7 == postbell.SHOWN
    assert again.shown == []


def test_a_reply_goes_to_whoever_asked(world, started):
    client = started()
    with_mail(client, world)
    world.on_publish = lambda request: [[1, request[1], 0, 0, 5, b"Hello"]]
    request_id = client.ask("text", IDS[0], 0, 512)
    settle(client)
    assert client.replies == [(request_id, 0, 0, 5, b"Hello")]


# --- awake for a moment ----------------------------------------------------------------------------


def test_fetch_ends_when_the_box_is_what_the_broker_has_now(world, started):
    client = started()
    take = world._answer

    def answer(one):
        take(one)
        if one.kind == mqtt.SUBSCRIBE:
            for number in range(3):
                world.incoming += mqtt.publish(f"mail/alice/msg/{IDS[number]}", header("x"), qos=1, retain=True)
            world.incoming += mqtt.publish("mail/alice/box", digest(IDS[:3]), qos=1, retain=True)

    world._answer = answer
    assert client.fetch()
    assert client.shown == IDS[:3]
    client.close()
    assert world.packets[-1].kind == mqtt.DISCONNECT


def test_fetch_has_an_end(world, started):
    world.reachable = False
    assert not started().fetch(20_000)
    assert 20_000 <= world.now < 21_000
