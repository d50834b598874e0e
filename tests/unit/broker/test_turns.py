"""Turns: first come first served, little in each step, and nobody's failure is another's."""

from __future__ import annotations

import asyncio

import pytest

from broker.turns import STEP, Turns


class Steps:
    """A loop that is stepped by hand."""

    def __init__(self):
        self._next = []

    def __call__(self, callback):
        self._next.append(callback)

    def step(self):
        now, self._next = self._next, []
        for callback in now:
            callback()
        return bool(now)


def piece(done, what, *, costs=1):
    """Work that notes that it was done."""

    def work():
        done.append(what)
        return costs

    return work


def test_pieces_are_done_in_the_order_of_asking_and_little_in_a_step():
    steps, done = Steps(), []
    turns = Turns(steps)
    for number in range(10):
        turns.ask(piece(done, number, costs=STEP // 2))
    for after in (2, 4, 6, 8, 10):
        steps.step()
        assert done == list(range(after))
    assert not steps.step()
    turns.ask(piece(done, "late"))
    steps.step()
    assert done[-1] == "late"


def test_who_asks_again_is_behind_those_who_wait():
    steps, done = Steps(), []
    turns = Turns(steps)

    def greedy():
        done.append("greedy")
        turns.ask(greedy)
        return STEP

    turns.ask(greedy)
    turns.ask(piece(done, "modest", costs=STEP))
    for _ in range(3):
        steps.step()
    assert done == ["greedy", "modest", "greedy"]


def test_clients_do_not_queue_behind_strangers_and_leave_them_some():
    steps, done = Steps(), []
    turns = Turns(steps)
    for number in range(3):
        turns.ask(piece(done, f"stranger {number}", costs=STEP))
    turns.ask(piece(done, "client", costs=STEP), known=True)
    turns.ask(piece(done, "next client", costs=STEP), known=True)
    steps.step()
    assert done == ["client", "stranger 0"]
    steps.step()
    assert done == ["client", "stranger 0", "next client", "stranger 1"]
    steps.step()
    assert done[-1] == "stranger 2"
    assert not steps.step()


def test_strangers_have_at_least_a_quarter_of_a_step():
    steps, done = Steps(), []
    turns = Turns(steps)
    for _ in range(STEP * 2):
        turns.ask(piece(done, "client"), known=True)
        turns.ask(piece(done, "stranger"))
    steps.step()
    assert (done.count("client"), done.count("stranger")) == (STEP * 3 // 4, STEP // 4)


def test_a_piece_that_fails_holds_up_nobody():
    steps, done = Steps(), []
    turns = Turns(steps)
    turns.ask(lambda: 1 // 0)
    turns.ask(piece(done, "next"))
    with pytest.raises(ZeroDivisionError):
        steps.step()
    steps.step()
    assert done == ["next"]


def test_who_waits_for_a_turn_may_give_up():
    async def story():
        turns = Turns(asyncio.get_running_loop().call_soon)
        leaving = asyncio.create_task(turns.wait(1))
        staying = asyncio.create_task(turns.wait(1))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait_for(staying, 10)
        assert leaving.cancelled()

    asyncio.run(story())
