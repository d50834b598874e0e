"""The queue of one session: order, window, what gives way, packet ids."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker.delivery import Delivery
from broker.entries import Bounds
from broker.wire.message import Message


def delivery(window=2, messages=5, octets=1000):
    return Delivery(Bounds(window, messages, octets))


def message(topic, payload=b"x", qos=1):
    return Message(topic, payload, qos)


def offer(queue, topic, *, qos=1, state=False, payload=b"x"):
    return queue.offer(message(topic, payload), qos=qos, state=state)


def drain(queue):
    taken = []
    while (entry := queue.take()) is not None:
        taken.append(entry)
    return taken


def test_the_window_bounds_what_is_in_flight():
    queue = delivery(window=2)
    for topic in "abc":
        offer(queue, topic)
    first, second = drain(queue)
    assert queue.take() is None
    assert queue.acknowledge(first.packet_id) is first
    assert queue.take().message.topic == "c"
    assert queue.acknowledge(first.packet_id) is None
    queue.resume(2)
    assert [entry.message.topic for entry in drain(queue)] == ["b", "c"]
    queue.resume(1)
    assert drain(queue) == [second]


def test_qos_0_takes_no_place_in_the_window():
    queue = delivery(window=1)
    for _ in range(3):
        offer(queue, "a", qos=0)
    assert [entry.packet_id for entry in drain(queue)] == [0, 0, 0]
    assert len(queue) == 0


def test_a_newer_state_replaces_the_one_that_waits():
    queue = delivery()
    offer(queue, "box", state=True, payload=b"old")
    offer(queue, "msg")
    _, dropped = offer(queue, "box", state=True, payload=b"new")
    assert [entry.message.payload for entry in dropped] == [b"old"]
    assert [(e.message.topic, e.message.payload) for e in drain(queue)] == [("msg", b"x"), ("box", b"new")]


def test_a_state_that_was_sent_is_not_taken_back():
    queue = delivery()
    offer(queue, "box", state=True)
    queue.take()
    assert offer(queue, "box", state=True)[1] == []


def test_over_the_bound_the_oldest_state_goes_first_then_the_oldest_message():
    queue = delivery(messages=3)
    for topic, state in (("m1", False), ("s1", True), ("s2", True)):
        offer(queue, topic, state=state)
    gone = [offer(queue, topic)[1][0].message.topic for topic in ("m2", "m3", "m4")]
    assert gone == ["s1", "s2", "m1"]


def test_payload_bytes_are_bounded_but_one_message_always_fits():
    queue = delivery(octets=10)
    assert offer(queue, "big", payload=b"x" * 50)[1] == []
    assert [entry.message.topic for entry in offer(queue, "small")[1]] == ["big"]


def test_a_replay_looks_when_its_turn_comes():
    looked = []

    def found():
        for topic, qos in (("a", 1), ("b", 0)):
            looked.append(topic)
            yield message(topic, b"r", qos)

    queue = delivery(window=1)
    offer(queue, "before")
    queue.replay("#", qos=1, found=found())
    offer(queue, "live")
    before = queue.take()
    assert looked == []
    queue.acknowledge(before.packet_id)
    first = queue.take()
    assert looked == ["a"]
    assert queue.take() is None
    assert not queue.looking
    queue.acknowledge(first.packet_id)
    entries = [first, *drain(queue)]
    assert [(e.message.topic, e.qos, e.retain) for e in entries] == [("a", 1, True), ("b", 0, True), ("live", 1, False)]


def test_a_replay_that_finds_little_lets_others_go_on():
    queue, looks = delivery(), iter([None] * 1000 + [message("a")])
    queue.replay("#", qos=1, found=looks)
    calls = 0
    while (entry := queue.take()) is None:
        assert queue.looking
        calls += 1
    assert calls == 1000 // 65
    assert entry.message.topic == "a"
    assert queue.take() is None
    assert not queue.looking
    assert len(queue) == 1


def test_many_subscriptions_to_one_filter_cost_one_look():
    queue, looks = delivery(), []

    def found():
        looks.append(1)
        yield message("a", qos=0)

    for _ in range(1000):
        queue.replay("#", qos=0, found=found())
    assert len(drain(queue)) == 1
    assert looks == [1]


def test_a_filter_that_is_given_up_replays_no_more():
    """[MQTT-3.10.4-2]"""
    queue = delivery(window=1)
    queue.replay("#", qos=1, found=[message("a"), message("b")])
    queue.replay("b/#", qos=1, found=[message("c")])
    first = queue.take()
    queue.drop_replay("#")
    queue.drop_replay("#")
    queue.acknowledge(first.packet_id)
    assert [entry.message.topic for entry in (first, *drain(queue))] == ["a", "c"]
    assert len(queue) == 1


def test_a_queue_that_comes_back_has_its_packet_ids_and_order():
    before = delivery(window=2)
    entries = [offer(before, topic)[0] for topic in "abcd"]
    after = delivery(window=2)
    for entry in entries:
        after.restore(entry.seq, entry.message, state=False)
    sent = drain(after)
    assert [(e.packet_id, e.message.topic) for e in sent] == [(e.packet_id, e.message.topic) for e in entries[:2]]
    assert [e.sent for e in sent] == [True, True]
    after.acknowledge(sent[0].packet_id)
    assert after.take().sent is False
    assert offer(after, "e")[0].seq > entries[-1].seq


@given(st.lists(st.sampled_from(["offer", "state", "take", "ack", "ack_last"]), max_size=300), st.integers(1, 4))
def test_packet_ids_in_use_never_collide_and_accounts_add_up(steps, window):
    queue, flying = delivery(window=window, messages=6, octets=8), []
    for step in steps:
        if step in ("offer", "state"):
            offer(queue, step, state=step == "state")
        elif step == "take" and (entry := queue.take()) is not None:
            flying.append(entry)
        elif step.startswith("ack") and flying:
            entry = flying.pop(-1 if step == "ack_last" else 0)
            assert queue.acknowledge(entry.packet_id) is entry
        waiting = list(queue._waiting.values())
        ids = [entry.packet_id for entry in (*waiting, *flying)]
        assert len(set(ids)) == len(ids) == len(queue._ids) == len(queue)
        assert all(1 <= one <= 65535 for one in ids)
        assert queue._octets == sum(len(entry.message.payload) for entry in waiting)
        assert len(waiting) <= 6
        assert len(queue._in_flight) <= window


def test_packet_ids_wrap_around_what_is_still_in_flight():
    queue = delivery(window=3, messages=100)
    offer(queue, "stuck")
    stuck = queue.take()
    seen = set()
    for _ in range(70_000):
        offer(queue, "a")
        entry = queue.take()
        seen.add(entry.packet_id)
        queue.acknowledge(entry.packet_id)
    assert stuck.packet_id not in seen
    assert seen == set(range(1, 65536)) - {stuck.packet_id}


def test_what_was_in_flight_comes_again_within_the_window_of_the_new_connection():
    """[MQTT-3.3.4-9] [MQTT-4.4.0-1]"""
    queue = delivery(window=4, messages=10)
    for topic in "abcdef":
        offer(queue, topic)
    before = drain(queue)
    assert len(before) == 4
    queue.resume(2)
    assert len(queue) == 6
    assert queue.acknowledge(before[3].packet_id) is before[3], "it had come, and its PUBACK is late"
    again = drain(queue)
    assert again == before[:2]
    queue.acknowledge(again[0].packet_id)
    assert drain(queue) == [before[2]]
    queue.resume(10)
    assert [entry.message.topic for entry in drain(queue)] == ["b", "c", "e", "f"]


def test_giving_up_takes_the_oldest_and_last_what_may_have_been_sent():
    queue = delivery(window=1)
    for topic, state in (("a", False), ("b", False), ("s", True)):
        offer(queue, topic, state=state)
    queue.replay("#", qos=1, found=[])
    queue.take()
    weight = queue.weight
    given = [queue.give_up().message.topic for _ in range(3)]
    assert given == ["s", "b", "a"]
    assert (queue.give_up(), queue.weight, len(queue), weight) == (None, 0, 0, 3 * 513)


def test_what_comes_back_from_disk_is_trimmed_when_all_of_it_is_here():
    queue = Delivery(Bounds(2, 3, 1000), next_seq=10, unread=3)
    offer(queue, "new")
    assert (len(queue), queue.give_up()) == (4, None)
    for seq in (2, 5, 9):
        assert queue.restore(seq, message(f"old{seq}"), state=False)
    assert [entry.message.topic for entry in queue.restored(10)] == ["old2"]
    queue.window = 10
    assert [(entry.message.topic, entry.sent) for entry in drain(queue)] == [
        ("old5", True),
        ("old9", False),
        ("new", False),
    ]
