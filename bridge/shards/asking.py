"""Asking all bridges at a database to do something, from wherever it can be reached: by NOTIFY, there and back.

A command need not know where a bridge runs, nor reach any. Those are asked that have leases, since what they answer is
about their own users; each says of which shards that was.
"""

from __future__ import annotations

import json
import secrets
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from bridge.errors import PostbellError
from bridge.postgres import connection as connecting
from bridge.postgres import database
from bridge.shards.plan import SHARDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.postgres.connection import PostgresConnection

ASKED, ANSWERED = "postbell_asked", "postbell_answered"
"""The channels: requests and answers, each an object of JSON with the token of its request."""
PIECE = 3500
"""Characters of an answer that are told at once: with those that are escaped they fit into the 8,000 bytes of one."""
LOOK_S = 1.0
"""How often it is looked whether those who have not answered are still there."""
OWNERS = "SELECT DISTINCT owner FROM lease WHERE owner IS NOT NULL AND expires > clock_timestamp()"


class UnansweredError(PostbellError):
    """No bridge is there to be asked, or one of those who were has not answered."""


@dataclass(frozen=True, slots=True)
class NodeAnswer:
    """What a bridge answered, and of which shards it was the owner all the while."""

    node: str
    shards: frozenset[int]
    answer: dict[str, Any]


def ask(url: str, request: dict[str, Any], *, patience_s: float) -> list[NodeAnswer]:
    """The answers of all bridges that own shards, by their names.

    Raises UnansweredError, also with what one of them could not do; or StoreUnavailableError.
    """
    try:
        with closing(connecting.connect(url, name="asking")) as connection:
            return _ask(connection, request, patience_s=patience_s)
    except psycopg.Error as error:
        raise database.translate(error, url) from error


def require_all(answers: Sequence[NodeAnswer]) -> None:
    """Raises UnansweredError unless these are about all shards, and so about all users."""
    missing = SHARDS - len(frozenset[int]().union(*(each.shards for each in answers)))
    if missing:
        raise UnansweredError(f"{missing} of {SHARDS} shards changed hands meanwhile, or are nobody's: ask again")


def _ask(connection: PostgresConnection, request: dict[str, Any], *, patience_s: float) -> list[NodeAnswer]:
    connection.execute(f"LISTEN {ANSWERED}")
    wanted = _owners(connection)
    if not wanted:
        raise UnansweredError("no bridge runs at this database now: start one, and ask again")
    token, give_up_at = secrets.token_hex(8), time.monotonic() + patience_s
    connection.execute("SELECT pg_notify(?, ?)", (ASKED, json.dumps({**request, "token": token})))
    found: dict[str, NodeAnswer] = {}
    begun: dict[str, str] = {}
    while missing := wanted - found.keys():
        for told in connection.raw.notifies(timeout=LOOK_S, stop_after=1):
            said = json.loads(told.payload)
            if said["token"] != token:
                continue
            node = said["node"]
            begun[node] = begun.get(node, "") + said["piece"]
            if said["last"]:
                found[node] = _taken(node, json.loads(begun[node]))
        if gone := missing - found.keys() - _owners(connection):
            raise UnansweredError(f"the bridge {min(gone)} went before it answered: ask again")
        if time.monotonic() > give_up_at:
            raise UnansweredError(f"the bridge {min(missing)} does not answer")
    return [found[node] for node in sorted(found)]


def _owners(connection: PostgresConnection) -> set[str]:
    return {owner for (owner,) in connection.execute(OWNERS).fetchall()}


def _taken(node: str, said: dict[str, Any]) -> NodeAnswer:
    if "error" in said["answer"]:
        raise UnansweredError(f"{node}: {said['answer']['error']}")
    return NodeAnswer(node, frozenset(said["shards"]), said["answer"])


def pieces(token: str, answer: NodeAnswer) -> list[str]:
    """What is told of an answer, one after the other."""
    text = json.dumps({"shards": sorted(answer.shards), "answer": answer.answer})
    starts = range(0, len(text), PIECE)
    return [
        json.dumps(
            {
                "token": token,
                "node": answer.node,
                "piece": text[start : start + PIECE],
                "last": start + PIECE >= len(text),
            }
        )
        for start in starts
    ]
