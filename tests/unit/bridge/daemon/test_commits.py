"""Whoever watches a directory is told of what is written there, by bridge and broker alike, and else left alone."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes

import pytest

from bridge.daemon import commits as of_bridge
from broker import commits as of_broker

WATCHES = {"bridge": (of_bridge, "CommitWatch"), "broker": (of_broker, "TableWatch")}


class Watched:
    """What makes a watch of a directory, and whether it was told of something."""

    def __init__(self, module, name, directory):
        self.module, self.name, self.directory = module, name, directory
        self.told = asyncio.Event()

    def __call__(self, directory=None):
        return contextlib.closing(getattr(self.module, self.name)(directory or self.directory, told=self.told.set))


@pytest.fixture(params=WATCHES)
def watch(request, monkeypatch, tmp_path):
    """What makes a watch of a directory of the test, by the bridge or the broker."""
    module, name = WATCHES[request.param]
    monkeypatch.setattr(module, "SETTLES_S", 0.0)
    return Watched(module, name, tmp_path)


def test_a_file_that_is_written_wakes(watch, tmp_path):
    async def story():
        with watch() as commits:
            for way in ("made", "grown", "gone"):
                watch.told.clear()
                assert commits.arm_s() == watch.module.BEAT_S
                assert commits.arm_s() == watch.module.BEAT_S  # twice is no harm
                if way == "gone":
                    (tmp_path / "store").unlink()
                else:
                    with (tmp_path / "store").open("a") as file:
                        file.write(way)
                await asyncio.wait_for(watch.told.wait(), 60)

    asyncio.run(story())


def test_what_was_written_between_two_looks_is_looked_at_at_once(watch, monkeypatch, tmp_path):
    async def story():
        with watch() as commits:
            assert commits.arm_s() == watch.module.BEAT_S
            monkeypatch.setattr(watch.module, "SETTLES_S", 60.0)
            (tmp_path / "store").write_bytes(b"x")
            await asyncio.wait_for(watch.told.wait(), 60)
            assert commits.arm_s() == 0.0  # the commit may not be there yet
            monkeypatch.setattr(watch.module, "SETTLES_S", 0.0)
            assert commits.arm_s() == watch.module.BEAT_S

    asyncio.run(story())


def test_where_nothing_tells_it_is_looked_as_often_as_ever(watch, monkeypatch, tmp_path):
    async def story():
        with watch(tmp_path / "nowhere") as commits:
            assert commits.arm_s() == 0.0
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
        with watch() as commits:
            assert commits.arm_s() == 0.0

        class Exhausted:
            def inotify_init1(self, _flags):
                return -1

            def inotify_add_watch(self, *_):
                raise AssertionError

        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Exhausted())
        with watch() as commits:
            assert commits.arm_s() == 0.0

    asyncio.run(story())


def test_closed_it_tells_nothing(watch, tmp_path):
    async def story():
        with watch() as commits:
            commits.arm_s()
        commits.close()
        (tmp_path / "store").write_bytes(b"x")
        await asyncio.sleep(0)
        assert not watch.told.is_set()
        assert commits.arm_s() == 0.0

    asyncio.run(story())
