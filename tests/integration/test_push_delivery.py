"""Who is rung for what, and what becomes of it: rows of a real store, push services by a script, time by hand."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from bridge.errors import StoreUnavailableError
from bridge.kept import PushState
from bridge.push import delivery as delivering
from bridge.push.delivery import PushDelivery, PushOptions
from bridge.push.judging import ServiceAnswer
from bridge.push.letter import PushLetter, UndeliveredError
from bridge.push.needs import Wakefulness
from bridge.rules.change import Change
from bridge.store import notifications, offline, pairing, people, rules, subscriptions
from bridge.store.adapters import NotificationRows
from bridge.tally import Tally
from tests.support.push_service import Device
from tests.support.stored import COUNT, DAYS, Clock, add_user, header, mail, storing, to
from tests.support.waiting import until_on_loop

HOST = "push.example.net"
TTL_S = 3600


class Script:
    """Push services, letters and attendance in one: answers what it is told, and knows what came."""

    def __init__(self):
        self.came, self.answers, self.attendances = [], {}, {}
        self.held = {}
        self.most_at_once, self._now = {}, {}

    async def letter(self, waiting, text, *, ttl_s):
        return PushLetter(waiting.subscription.endpoint, waiting.subscription.host, {"TTL": str(ttl_s)}, text)

    async def post(self, letter):
        self._now[letter.host] = self._now.get(letter.host, 0) + 1
        self.most_at_once[letter.host] = max(self.most_at_once.get(letter.host, 0), self._now[letter.host])
        self.came.append(letter)
        try:
            if letter.host in self.held:
                await self.held[letter.host].wait()
            queue = self.answers.get(letter.endpoint, [])
            answer = queue.pop(0) if queue else ServiceAnswer(201)
            if isinstance(answer, Exception):
                raise answer
            return answer
        finally:
            self._now[letter.host] -= 1

    async def attendance(self, waiting):
        return [self.attendances.get(each.device, Wakefulness.ASLEEP) for each in waiting]

    def to(self, device):
        """How many letters a device was sent."""
        return sum(letter.endpoint.endswith(f"/{device}") for letter in self.came)


class Rung:
    """A store with devices that are rung, and what rings them."""

    def __init__(self, store, script, *, clock, alice, tally, delivery):
        self.store, self.script, self.clock, self.alice, self.tally = store, script, clock, alice, tally
        self.delivery = delivery

    async def keep(self, subject="s", **flags):
        kept = await self.store.keep(
            mail(to(self.alice, "alice"), text=subject), header(subject), message_id="", **flags
        )
        return kept[0]

    async def until(self, holds, what):
        """Until something holds; time goes on meanwhile when it has to."""
        await until_on_loop(holds, what=what, patience_s=20)

    async def quiet(self):
        """Until nothing waits."""
        while await self.store.read(notifications.any_waiting):  # noqa: ASYNC110 - nobody tells a test of a row
            await asyncio.sleep(0.01)

    async def results(self, kept):
        found = await self.store.read(notifications.of_message, "alice", kept.number)
        return {device: (each.result, each.tries) for device, each in found.items()}

    async def standing(self, device="phone"):
        return await self.store.read(subscriptions.standing, self.alice, device)


def rung(path, story, *, devices=("phone",), hosts=None, options=None, work=True):
    """Run a story with devices that are rung."""
    clock = Clock()
    alice = add_user(path, "alice", clock=clock)
    with offline.transaction(path, now_ms=clock.now_ms, count=COUNT, days=DAYS) as transaction:
        for device in devices:
            pairing.add_device(transaction, "alice", device)
            host = (hosts or {}).get(device, HOST)
            subscriptions.put(transaction, alice, device, Device().at(f"https://{host}/{device}", host))

    @asynccontextmanager
    async def running(delivery):
        task = asyncio.create_task(delivery.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    wakes = []

    def committed(news):
        for wake in wakes:
            wake(rung=news.rung)

    async def run():
        async with storing(path, clock=clock, changed=committed) as store:
            script, tally = Script(), Tally()
            delivery = PushDelivery(
                rows=NotificationRows(store, days=DAYS, now_ms=clock.wall),
                carrier=script,
                writing=script,
                watching=script,
                options=options or PushOptions(ttl_s=TTL_S),
                now_s=lambda: clock.now_ms / 1000,
                jitter=lambda: 0.0,
                tally=tally,
            )
            wakes.append(delivery.wake)
            told = Rung(store, script, clock=clock, alice=alice, tally=tally, delivery=delivery)
            async with asyncio.timeout(60):
                if work:
                    async with running(delivery):
                        await story(told)
                else:
                    await story(told)

    asyncio.run(run())


@pytest.fixture
def path(place):
    return place


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """What the clock of the loop has to wait for comes soon; the other clock is the test's."""
    monkeypatch.setattr(delivering, "LOOK_S", 0.02)
    monkeypatch.setattr(delivering, "UNSURE_S", 0.02)
    monkeypatch.setattr(delivering, "PAUSE_S", 0.0)


def test_a_mail_rings_each_device_once(path):
    async def story(rung):
        kept = await rung.keep("Plan")
        await rung.quiet()
        assert await rung.results(kept) == {"phone": ("sent", 1), "tablet": ("sent", 1)}
        assert [rung.script.to(device) for device in ("phone", "tablet", "laptop")] == [1, 1, 0]
        assert b'"body":"Plan \xe2\x80\x93 snippet"' in rung.script.came[0].body
        assert b'"app_badge":1' in rung.script.came[0].body
        assert rung.script.came[0].fields == {"TTL": str(TTL_S)}
        assert rung.tally.pushes == {"sent": 2}
        assert (await rung.standing()).state is PushState.OK

    rung(path, story, devices=("phone", "tablet"))


def test_what_does_not_ring_is_not_pushed(path):
    async def story(rung):
        await rung.store.write(rules.change, "alice", Change(mute=("bob@example.net",)))
        silent = await rung.keep()
        assert await rung.results(silent) == {}
        await rung.store.write(rules.change, "alice", Change(), clear=True)
        loud = await rung.keep()
        await rung.quiet()
        assert await rung.results(loud) == {"phone": ("sent", 1)}

    rung(path, story)


def test_a_storm_is_told_as_one(path):
    async def story(rung):
        await rung.store.write(rules.change, "alice", Change(rate="2/1m"))
        kept = [await rung.keep(f"mail {number}") for number in range(7)]
        await rung.quiet()
        assert rung.script.to("phone") == 2
        rung.clock.pass_(61)
        assert await rung.store.close_storms() == 1
        await rung.quiet()
        assert rung.script.to("phone") == 3
        assert b'"title":"Bob","navigate"' in rung.script.came[2].body
        assert b'"body":"5 more"' in rung.script.came[2].body
        assert await rung.results(kept[2]) == {"phone": ("sent", 1)}, "under the first of the storm"

    rung(path, story)


def test_a_storm_that_was_seen_meanwhile_is_not_told(path):
    async def story(rung):
        await rung.store.write(rules.change, "alice", Change(rate="1/1m"))
        kept = [await rung.keep() for _ in range(4)]
        await rung.quiet()
        await rung.store.set_seen(rung.alice, [each.number for each in kept], seen=True)
        rung.clock.pass_(61)
        await rung.store.close_storms()
        await rung.quiet()
        assert rung.script.to("phone") == 1
        assert await rung.results(kept[1]) == {"phone": ("seen", 0)}

    rung(path, story)


def test_503_twice_and_then_201_is_one(path):
    async def story(rung):
        rung.script.answers[f"https://{HOST}/phone"] = [ServiceAnswer(503, after="30"), ServiceAnswer(503)]
        kept = await rung.keep()
        await rung.until(lambda: rung.tally.pushes["again"] == 1, "the first try")
        standing = await until_state(rung, PushState.FAILING)
        assert standing.trouble == "503: not now"
        rung.clock.pass_(29)
        await looked(rung)
        assert rung.script.to("phone") == 1, "not before Retry-After"
        rung.clock.pass_(1)
        await rung.until(lambda: rung.tally.pushes["again"] == 2, "the second try")
        rung.clock.pass_(1)
        await rung.quiet()
        assert await rung.results(kept) == {"phone": ("sent", 3)}
        assert (await rung.standing()).state is PushState.OK

    rung(path, story)


def test_410_and_none_after(path):
    async def story(rung):
        rung.script.answers[f"https://{HOST}/phone"] = [ServiceAnswer(410)]
        kept = await rung.keep()
        await rung.quiet()
        assert await rung.results(kept) == {"phone": ("forgotten", 0)}
        standing = await rung.standing()
        assert (standing.state, standing.subscription.endpoint) == (PushState.FORGOTTEN, "")
        again = await rung.keep()
        assert await rung.results(again) == {}
        await looked(rung)
        assert rung.script.to("phone") == 1

    rung(path, story)


def test_410_of_an_endpoint_that_is_replaced_forgets_nothing(path):
    async def story(rung):
        rung.script.held[HOST] = asyncio.Event()
        rung.script.answers[f"https://{HOST}/phone"] = [ServiceAnswer(410)]
        kept = await rung.keep()
        await rung.until(lambda: rung.script.to("phone"), "the try at the old endpoint")
        other = Device().at(f"https://{HOST}/new", HOST)
        await rung.store.write(subscriptions.put, rung.alice, "phone", other)
        rung.script.held[HOST].set()
        await rung.quiet()
        assert rung.script.to("new") == 1, "the new one is told of it"
        assert await rung.results(kept) == {"phone": ("sent", 1)}
        assert (await rung.standing()).state is PushState.OK

    rung(path, story)


@pytest.mark.parametrize(
    "answer", [*(ServiceAnswer(status) for status in (400, 401, 403, 500)), UndeliveredError("it is away")]
)
def test_other_trouble_forgets_nothing_and_ends_with_the_ttl(path, answer):
    async def story(rung):
        rung.script.answers[f"https://{HOST}/phone"] = [answer] * 50
        kept = await rung.keep()
        for _ in range(3):
            tried = rung.script.to("phone")
            rung.clock.pass_(20)
            await rung.until(lambda tried=tried: rung.script.to("phone") > tried, "another try")
        rung.clock.pass_(TTL_S)
        await rung.quiet()
        [(result, tries)] = (await rung.results(kept)).values()
        assert (result, tries >= 3) == ("expired", True)
        assert (await rung.standing()).state is PushState.FAILING
        rung.script.answers.clear()
        rung.clock.pass_(3600)
        later = await rung.keep()
        await rung.quiet()
        assert await rung.results(later) == {"phone": ("sent", 1)}

    rung(path, story)


def test_what_is_too_long_is_sent_once_more_with_less(path):
    async def story(rung):
        rung.script.answers[f"https://{HOST}/phone"] = [ServiceAnswer(413)]
        kept = await rung.keep("Plan")
        await rung.quiet()
        long, short = rung.script.came
        assert b"Plan" in long.body
        assert b"Plan" not in short.body
        assert await rung.results(kept) == {"phone": ("sent", 1)}
        rung.script.answers[f"https://{HOST}/phone"] = [ServiceAnswer(413), ServiceAnswer(413)]
        kept = await rung.keep("Plan")
        await rung.quiet()
        assert await rung.results(kept) == {"phone": ("refused", 1)}

    rung(path, story)


def test_what_was_seen_before_it_could_be_sent_is_not_sent(path):
    async def story(rung):
        rung.script.answers[f"https://{HOST}/phone"] = [ServiceAnswer(503, after="60")]
        kept = [await rung.keep() for _ in range(5)]
        await rung.until(lambda: rung.tally.pushes["again"], "the first try")
        await until_state(rung, PushState.FAILING)
        await rung.store.set_seen(rung.alice, [each.number for each in kept[:4]], seen=True)
        rung.clock.pass_(61)
        await rung.quiet()
        assert rung.script.to("phone") == 2
        assert [(await rung.results(each))["phone"][0] for each in kept] == ["seen"] * 4 + ["sent"]
        assert rung.tally.pushes["seen"] == 4

    rung(path, story)


def test_a_message_that_is_refused_keeps_nothing_else_from_its_device(path):
    async def story(rung):
        rung.script.answers[f"https://{HOST}/phone"] = [ServiceAnswer(400)]
        first, second = await rung.keep(), await rung.keep()
        await rung.until(lambda: rung.tally.pushes["again"], "the first try")
        await until_state(rung, PushState.FAILING)
        rung.clock.pass_(2)
        await rung.quiet()
        assert [letter.body.count(second.mail_id.encode()) > 0 for letter in rung.script.came] == [False, True, False]
        assert await rung.results(first) == {"phone": ("sent", 2)}

    rung(path, story)


def test_a_device_that_is_awake_is_not_rung(path):
    async def story(rung):
        rung.script.attendances = {"phone": Wakefulness.AWAKE, "tablet": Wakefulness.UNSURE}
        kept = await rung.keep()
        await rung.until(lambda: rung.tally.pushes["awake"] == 1, "the page that is open")
        assert (await rung.results(kept))["tablet"] == (None, 0)
        rung.script.attendances["tablet"] = Wakefulness.ASLEEP
        await rung.quiet()
        assert await rung.results(kept) == {"phone": ("awake", 0), "tablet": ("sent", 1)}
        assert [rung.script.to(device) for device in ("phone", "tablet")] == [0, 1]

    rung(path, story, devices=("phone", "tablet"))


def test_who_hangs_takes_up_places_of_its_own(path):
    devices = [f"slow{number}" for number in range(40)] + ["fast"]

    async def story(rung):
        rung.script.held["slow.example.net"] = asyncio.Event()
        first = await rung.keep()
        await rung.until(lambda: rung.script.to("fast"), "the other push service")
        assert rung.script.most_at_once["slow.example.net"] == delivering.AT_ONE_HOST
        for _ in range(3):
            await rung.keep()
        await rung.until(lambda: rung.script.to("fast") == 4, "more of it")
        rung.script.held["slow.example.net"].set()
        await rung.quiet()
        assert len(await rung.results(first)) == 41
        assert rung.script.most_at_once["slow.example.net"] == delivering.AT_ONE_HOST

    rung(path, story, devices=devices, hosts=dict.fromkeys(devices[:-1], "slow.example.net"))


def test_all_together_have_so_many_places(path):
    devices = [f"device{number}" for number in range(60)]
    hosts = {device: f"push{number // 2}.example.net" for number, device in enumerate(devices)}

    async def story(rung):
        gate = asyncio.Event()
        rung.script.held = dict.fromkeys(hosts.values(), gate)
        await rung.keep()
        await rung.until(lambda: len(rung.script.came) == delivering.AT_ONCE, "all places to be taken")
        await looked(rung)
        assert len(rung.script.came) == delivering.AT_ONCE
        gate.set()
        await rung.quiet()
        assert len(rung.script.came) == 60

    rung(path, story, devices=devices, hosts=hosts)


def test_a_device_that_is_revoked_is_not_rung(path):
    async def story(rung):
        rung.script.answers[f"https://{HOST}/phone"] = [ServiceAnswer(503, after="60")]
        kept = await rung.keep()
        await rung.until(lambda: rung.tally.pushes["again"], "the first try")
        await rung.store.write(pairing.revoke_device, "alice", "phone")
        assert await rung.results(kept) == {}
        rung.clock.pass_(61)
        await rung.keep()
        await looked(rung)
        assert rung.script.to("phone") == 1
        await rung.store.write(pairing.add_device, "alice", "phone")
        assert await rung.standing() is None, "another of the name begins anew"

    rung(path, story)


def test_a_new_password_ends_what_whoever_had_the_old_one_said(path):
    async def story(rung):
        await rung.store.write(pairing.renew_device, "alice", "phone")
        assert await rung.standing() is None
        assert await rung.results(await rung.keep()) == {}

    rung(path, story)


def test_another_key_forgets_all_subscriptions(path):
    async def story(rung):
        number = await rung.store.write(subscriptions.key, lambda: bytes(31) + b"\1")
        assert await rung.store.write(subscriptions.key, lambda: bytes(31) + b"\2") == number
        assert await rung.store.write(subscriptions.renew_key, bytes(31) + b"\2") == 2
        assert await rung.store.read(subscriptions.read_key) == bytes(31) + b"\2"
        assert (await rung.standing()).state is PushState.FORGOTTEN

    rung(path, story, devices=("phone", "tablet"))


def test_switched_off_nothing_is_sent_and_nothing_waits(path):
    async def story(rung):
        kept = await rung.keep()
        await rung.quiet()
        assert await rung.results(kept) == {"phone": ("off", 0)}
        assert rung.script.came == []
        rung.delivery.options = PushOptions(ttl_s=TTL_S)
        await rung.keep()
        await rung.quiet()
        assert rung.script.to("phone") == 1

    rung(path, story, options=PushOptions(enabled=False, ttl_s=TTL_S))


def test_what_waits_is_there_after_a_restart(path):
    async def killed(rung):
        await rung.keep("before")
        await asyncio.sleep(0)

    async def story(rung):
        await rung.quiet()
        [letter] = rung.script.came
        assert b"before" in letter.body

    rung(path, killed, work=False)
    again(path, story)


def again(path, story):
    """The same store in the hands of another process."""

    async def run():
        clock = Clock()
        async with storing(path, clock=clock) as store:
            script = Script()
            delivery = PushDelivery(
                rows=NotificationRows(store, days=DAYS, now_ms=clock.wall),
                carrier=script,
                writing=script,
                watching=script,
                options=PushOptions(ttl_s=TTL_S),
                now_s=lambda: clock.now_ms / 1000,
                jitter=lambda: 0.0,
            )
            task = asyncio.create_task(delivery.run())
            async with asyncio.timeout(60):
                await story(Rung(store, script, clock=clock, alice=1, tally=Tally(), delivery=delivery))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


def test_what_is_done_is_noted_when_the_process_ends(path):
    async def story(rung):
        rows, refused = rung.delivery._rows, asyncio.Event()
        record = rows.record

        async def unable(tries):
            refused.set()
            raise StoreUnavailableError(f"no room for {len(tries)}")

        rows.record = unable
        task = asyncio.create_task(rung.delivery.run())
        kept = await rung.keep()
        await refused.wait()
        rows.record = record
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await rung.results(kept) == {"phone": ("sent", 1)}
        assert rung.script.to("phone") == 1

    rung(path, story, work=False)


def test_a_store_that_is_away_is_waited_for_and_nothing_is_sent_twice(path):
    async def story(rung):
        rows = rung.delivery._rows
        record, failed = rows.record, []

        async def first_unable(tries):
            if len(failed) < 3:
                failed.append(len(tries))
                raise StoreUnavailableError("away")
            await record(tries)

        rows.record = first_unable
        kept = await rung.keep()
        await rung.quiet()
        assert failed == [1, 1, 1]
        assert await rung.results(kept) == {"phone": ("sent", 1)}
        assert rung.script.to("phone") == 1

    rung(path, story)


def test_a_defect_keeps_one_device_from_ringing_and_no_more(path):
    async def story(rung):
        rung.script.answers[f"https://{HOST}/phone"] = [RuntimeError("a defect")]
        await rung.keep()
        await rung.until(lambda: rung.script.to("tablet"), "the other device")
        standing = await until_state(rung, PushState.FAILING)
        assert standing.trouble == "a defect: see the log"
        rung.clock.pass_(2)
        await rung.quiet()
        assert rung.script.to("phone") == 2

    rung(path, story, devices=("phone", "tablet"))


def test_the_same_endpoint_again_is_nothing_new_and_another_does_not_hurry(path):
    async def story(rung):
        standing = await rung.standing()
        assert await rung.store.write(subscriptions.put, rung.alice, "phone", standing.subscription) is None
        rung.script.answers[f"https://{HOST}/phone"] = [ServiceAnswer(503, after="600")]
        await rung.keep()
        await until_state(rung, PushState.FAILING)
        other = Device().at(f"https://{HOST}/new", HOST)
        assert await rung.store.write(subscriptions.put, rung.alice, "phone", other) == "alice"
        await looked(rung)
        assert rung.script.to("new") == 0, "who changes endpoints all the time is no hammer"
        rung.clock.pass_(subscriptions.FORBEARANCE_MS / 1000)
        await rung.quiet()
        assert rung.script.to("new") == 1
        assert await rung.store.write(subscriptions.put, rung.alice, "nobody", other) is None

    rung(path, story)


def test_what_left_the_live_set_is_not_told(path):
    async def story(rung):
        rung.script.answers[f"https://{HOST}/phone"] = [ServiceAnswer(503, after="60")]
        first = await rung.keep()
        await rung.until(lambda: rung.tally.pushes["again"], "the first try")
        for _ in range(COUNT):
            await rung.keep()
        rung.clock.pass_(61)
        await rung.quiet()
        assert await rung.results(first) == {"phone": ("seen", 1)}
        assert rung.script.to("phone") == COUNT + 1

    rung(path, story)


async def until_state(rung, state):
    """The standing of the phone, once it has this state."""
    while (standing := await rung.standing()).state is not state:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.005)
    return standing


async def looked(rung):
    """Until delivery has looked twice more."""
    count, rows = [], rung.delivery._rows
    look = rows.any_waiting

    async def counted():
        count.append(None)
        return await look()

    rows.any_waiting = counted
    for _ in range(2):
        before = len(count)
        rung.delivery.wake()
        await rung.until(lambda before=before: len(count) > before, "a look")
    rows.any_waiting = look


def test_who_rings_nobody_costs_no_look_while_nothing_waits(path):
    async def story(rung):
        await rung.store.write(people.add_user, "bob", ["bob@example.org"])
        await looked(rung)
        looks, look = [], rung.delivery._rows.any_waiting

        async def counted():
            looks.append(None)
            return await look()

        rung.delivery._rows.any_waiting = counted
        bob = await rung.store.directory.resolve("bob@example.org")
        [kept] = await rung.store.keep(mail(bob, text="s"), header("s"), message_id="")
        assert kept.user == "bob"
        for _ in range(20):
            await asyncio.sleep(0)
        assert looks == []
        await rung.keep("Plan")  # whose device is rung
        await rung.until(lambda: rung.script.to("phone") == 1, "the letter")
        assert looks

    rung(path, story)
