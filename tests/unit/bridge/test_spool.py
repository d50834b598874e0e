from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridge.errors import StoreFullError, StoreUnavailableError
from bridge.spool import HEAD_BYTES, MEMORY_BYTES, SYNC_BYTES, Spool, staying
from tests.mail import content_digest


@contextmanager
def spooling(directory, **options):
    spool = Spool(directory, **options)
    try:
        yield spool
    finally:
        spool.close()


async def kept(spool, *chunks):
    message = spool.begin()
    for chunk in chunks:
        await message.write(chunk)
    return await message.finish()


def test_a_small_message_stays_in_memory(tmp_path):
    with spooling(tmp_path) as spool:
        body = asyncio.run(kept(spool, b"Subject: x\r\n\r\n", b"y" * 1000))
    assert body.head == b"Subject: x\r\n\r\n" + b"y" * 1000
    assert (body.size, body.spooled) == (1014, None)
    assert body.digest == content_digest(body.head)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [MEMORY_BYTES, MEMORY_BYTES + 1, HEAD_BYTES, HEAD_BYTES + 1, 3 * 2**20])
@pytest.mark.parametrize("chunk", [1000, 70_000, 10 * 2**20])
def test_a_large_message_lies_in_a_file(tmp_path, size, chunk):
    raw = (b"Subject: x\r\n\r\n" + os.urandom(1000) * (size // 1000 + 1))[:size]
    with spooling(tmp_path) as spool:
        body = asyncio.run(kept(spool, *(raw[at : at + chunk] for at in range(0, size, chunk))))
    assert body.size == size
    assert body.digest == content_digest(raw)
    assert body.head == raw[:HEAD_BYTES]
    assert (body.spooled is None) == (size <= MEMORY_BYTES)
    if body.spooled is not None:
        assert (tmp_path / body.spooled).read_bytes() == raw
        assert (tmp_path / body.spooled).stat().st_mode & 0o777 == 0o600


def test_the_digest_can_be_any(tmp_path):
    with spooling(tmp_path, digest=hashlib.sha1) as spool:
        body = asyncio.run(kept(spool, b"abc"))
    assert body.digest == hashlib.sha1(b"abc").digest()


def test_a_discarded_message_leaves_nothing(tmp_path):
    async def story(spool):
        for finished in (False, True):
            message = spool.begin()
            await message.write(b"x" * 300_000)
            if finished:
                await message.finish()
            message.discard()
            message.discard()

    with spooling(tmp_path) as spool:
        asyncio.run(story(spool))
    assert not list(tmp_path.iterdir())


def test_a_write_that_was_given_up_cannot_bring_a_discarded_file_back(tmp_path):
    async def story(spool):
        message = spool.begin()
        writing = asyncio.create_task(message.write(b"x" * 300_000))
        await asyncio.sleep(0)
        writing.cancel()
        await asyncio.wait([writing])
        message.discard()

    with spooling(tmp_path) as spool:
        asyncio.run(story(spool))
    assert not list(tmp_path.iterdir())


def test_before_a_message_is_finished_file_and_directory_are_synced(tmp_path, monkeypatch):
    synced = []
    fsync = os.fsync

    def noted(fd):
        synced.append(str(Path(f"/proc/self/fd/{fd}").readlink()))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", noted)
    with spooling(tmp_path) as spool:
        body = asyncio.run(kept(spool, b"x" * 300_000))
    assert synced == [str(tmp_path / body.spooled), str(tmp_path)]


@pytest.mark.parametrize(
    ("number", "error"),
    [(errno.ENOSPC, StoreFullError), (errno.EDQUOT, StoreFullError), (errno.EIO, StoreUnavailableError)],
)
def test_a_disk_that_fails_is_a_reply(tmp_path, monkeypatch, number, error):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    async def story(spool):
        message = spool.begin()
        with pytest.raises(error) as caught:
            await message.write(b"x" * 300_000)
        assert caught.value.reply.code // 100 == 4
        assert type(caught.value) is error
        message.discard()

    with spooling(tmp_path) as spool, monkeypatch.context() as patch:
        patch.setattr(os, "write", fail)
        asyncio.run(story(spool))
    assert not list(tmp_path.iterdir())


def test_a_directory_that_is_gone_is_a_reply(tmp_path):
    directory = tmp_path / "spool"
    with spooling(directory) as spool:
        directory.rmdir()
        with pytest.raises(StoreUnavailableError):
            asyncio.run(kept(spool, b"x" * 300_000))


def test_the_sweep_removes_only_messages_that_nobody_knows(tmp_path):
    for name in ("known.eml", "orphan.eml", "README"):
        (tmp_path / name).touch()
    with spooling(tmp_path) as spool:
        assert asyncio.run(spool.sweep({"known.eml"})) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README", "known.eml"]


def test_a_finished_message_is_read_and_removed_by_its_name(tmp_path):
    raw = os.urandom(300_000)

    async def story(spool):
        body = await kept(spool, raw)
        assert await spool.read(body.spooled) == raw
        await spool.discard(body.spooled, "never-was.eml")
        assert await spool.read(body.spooled) is None
        await spool.discard(body.spooled)

    with spooling(tmp_path) as spool:
        asyncio.run(story(spool))
    assert not list(tmp_path.iterdir())


def test_what_the_disk_does_not_give_or_let_go_is_an_error_with_a_reply(tmp_path):
    (tmp_path / "odd.eml").mkdir()

    async def story(spool):
        for trial in (spool.read("odd.eml"), spool.discard("odd.eml"), spool.sweep(())):
            with pytest.raises(StoreUnavailableError):
                await trial

    with spooling(tmp_path) as spool:
        asyncio.run(story(spool))


def test_while_somebody_holds_the_spool_nothing_is_swept(tmp_path):
    (tmp_path / "orphan.eml").touch()
    with spooling(tmp_path) as spool:
        with staying(tmp_path):
            assert asyncio.run(spool.sweep(())) == 0
            assert (tmp_path / "orphan.eml").exists()
        assert asyncio.run(spool.sweep(())) == 1
    assert not list(tmp_path.iterdir())


def test_what_is_written_behind_a_discard_is_nowhere(tmp_path):
    async def story(spool):
        message = spool.begin()
        await message.write(b"x" * 300_000)
        message.discard()
        await message.write(b"y" * 300_000)
        await message.finish()

    with spooling(tmp_path, threads=1) as spool:  # one thread does one thing behind the other
        asyncio.run(story(spool))
        assert not list(tmp_path.iterdir())


def test_a_very_large_message_is_synced_as_it_comes(tmp_path, monkeypatch):
    synced, fdatasync = [], os.fdatasync

    def noted(fd):
        synced.append(os.fstat(fd).st_size)
        fdatasync(fd)

    monkeypatch.setattr(os, "fdatasync", noted)
    with spooling(tmp_path) as spool:
        asyncio.run(kept(spool, *[b"x" * (SYNC_BYTES // 2)] * 5))
    assert synced == [SYNC_BYTES, 2 * SYNC_BYTES]


def test_the_size_is_that_of_what_is_there(tmp_path, monkeypatch):
    for name, size in (("a.eml", 5), ("b.eml", 7), ("gone.eml", 100)):
        (tmp_path / name).write_bytes(b"x" * size)
    scandir = os.scandir

    @contextmanager
    def as_one_goes(directory):
        with scandir(directory) as entries:
            found = list(entries)
        (tmp_path / "gone.eml").unlink()
        yield found

    with spooling(tmp_path) as spool, monkeypatch.context() as patch:
        patch.setattr(os, "scandir", as_one_goes)
        assert asyncio.run(spool.size()) == (12, 2)
