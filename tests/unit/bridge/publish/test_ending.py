"""A task that is brought to its end: whatever it failed with is told."""

from __future__ import annotations

import asyncio

import pytest

from bridge.publish.ending import end


def ended(work):
    async def run():
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        await end(task)
        assert task.done()

    asyncio.run(run())


async def waits():
    await asyncio.Event().wait()


async def fails():
    raise RuntimeError("a defect")


async def fails_on_its_way_out():
    try:
        await asyncio.Event().wait()
    finally:
        raise RuntimeError("a defect")


async def is_done():
    pass


@pytest.mark.parametrize("work", [waits, is_done])
def test_it_is_over(work):
    ended(work)


@pytest.mark.parametrize("work", [fails, fails_on_its_way_out])
def test_a_defect_is_raised(work):
    with pytest.raises(RuntimeError, match="a defect"):
        ended(work)
