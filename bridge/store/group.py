"""What is committed together: operations with those who wait for them, how they are done, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.kept import NOTHING, Committed

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from bridge.store.writer import Transaction


@dataclass(frozen=True, slots=True)
class Job:
    """One operation with its arguments, and the future that gets its result.

    `gathered` says that it takes a list of its first argument, for all such jobs at once, and gives one of results;
    `brief` that it is done in a moment.
    """

    operation: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    future: asyncio.Future[Any]
    gathered: bool = False
    brief: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """A transaction that wants its COMMIT, and the results of its operations."""

    transaction: Transaction
    results: list[Any]


@dataclass(frozen=True, slots=True)
class GroupOutcome:
    """What came of a transaction: the results of its operations and what they mean for the broker, or why not."""

    batch: list[Job]
    results: Sequence[Any] = ()
    news: Committed = NOTHING
    error: BaseException | None = None

    def resolve(self) -> None:
        """Tell those who wait."""
        if self.error is not None:
            for job in self.batch:
                if not job.future.done():
                    job.future.set_exception(self.error)
            return
        for job, result in zip(self.batch, self.results, strict=True):
            if not job.future.done():
                job.future.set_result(result)


def perform(transaction: Transaction, batch: list[Job]) -> list[Any]:
    """Do all operations, what is gathered first and together; the results are in the order of the batch."""
    results: list[Any] = [None] * len(batch)
    together: list[tuple[Job, list[int]]] = []
    alone = []
    for index, job in enumerate(batch):
        if not job.gathered:
            alone.append(index)
            continue
        for like, indexes in together:
            if like.operation is job.operation and (like.arguments[1:], like.options) == (
                job.arguments[1:],
                job.options,
            ):
                indexes.append(index)
                break
        else:
            together.append((job, [index]))
    for like, indexes in together:
        items = [batch[index].arguments[0] for index in indexes]
        found = like.operation(transaction, items, *like.arguments[1:], **like.options)
        for index, result in zip(indexes, found, strict=True):
            results[index] = result
    for index in alone:
        job = batch[index]
        results[index] = job.operation(transaction, *job.arguments, **job.options)
    return results
