"""No statement on a mail's way walks through all messages: what SQLite plans to do for each, asked of itself."""

from __future__ import annotations

import re
from contextlib import closing

import pytest

from bridge.store import (
    backlog,
    bodies,
    boxes,
    counterparts,
    database,
    fetching,
    live,
    marks,
    meeting,
    messages,
    outbox,
    payloads,
    portions,
    registered,
)

OF_MAILBOXES = {
    "what is known of mails in a folder": counterparts.KNOWN,
    "what a mailbox is to be told": counterparts.PENDING,
    "whether a mail is in another folder": counterparts.ELSEWHERE,
    "the message that a mail is": meeting.NAMED,
    "the message that a mail without Message-ID is": meeting.NAMELESS,
    "mails that are no message yet": meeting.UNMATCHED,
    "mails that are to be fetched": fetching.WANTED,
}
HOT = OF_MAILBOXES | {
    "boxes": boxes.BOXES,
    "copies": boxes.COPIES.format(rows="(?, ?), (?, ?)"),
    "what is pushed out": boxes.OLDEST,
    "what rang": boxes.RANG,
    "counts": boxes.COUNTS,
    "moves in the live set": live.MOVES,
    "marks of new messages": marks.MARK_NEW,
    "marks of views that wait": marks.WAITING_VIEWS.format(paths="?, ?"),
    "new messages that wait": outbox.NEW_MESSAGES,
    "how many wait": backlog.NEW_TOPICS,
    "the oldest that waits": outbox.OLDEST_NEW,
    "headers that are settled": outbox.SETTLE_HEADERS,
    "events that are settled": outbox.SETTLE_EVENTS,
    "both": outbox.SETTLE_BOTH,
    "what is in doubt": outbox.DOUBT_NEW,
    "what is marked": outbox.MESSAGES,
    "the live set": live.LIVE,
    "the newest": live.NEWEST,
    "unread": live.UNREAD,
    "what the live set should be": live.WANTED,
    "who has something too old": live.CROSSED,
    "the last of some users": portions.LAST_OF,
    "bodies that are too old": bodies.OLD_BODIES,
    "the oldest of a user": bodies.OLDEST,
    "how much there is": bodies.STORED,
    "headers that are too old": bodies.OLD_HEADERS,
    "files that are needed": messages.SPOOLED,
    "whose an address is": registered.OWNER,
    "the same without case": registered.ALIKE,
    "whether a domain is ours": registered.OF_DOMAIN,
    "who is postmaster": registered.POSTMASTER,
    "a user by name": registered.NAMED,
    "some users by name": registered.NAMES,
    "who is no user": registered.STRANGERS,
    "how long a header is taken": f"SELECT {payloads.OF_USER} FROM user u WHERE u.user_id = ?",
}
WALKS = re.compile(r"SCAN (?!\d+ CONSTANT)(\w+)\b(?! USING .*INDEX (?:message_waits|body_file))")
"""`message_waits` has only what waits, `body_file` what is in files. A walk through them is bounded by that."""
FEW = {"json_each", "w", "wanted", "o", "stored"}
"""What is handed over, what waits in the outbox, and a table of one row."""
ALL_OF_A_USER = re.compile(r"SEARCH m USING (PRIMARY KEY|INDEX \w+) \(user_id=\?\)")
"""That is a walk as well: half a million messages may be one user's."""


def nothing_for(statement):
    """Values for a statement that is not carried out."""
    if names := re.findall(r":(\w+)", statement):
        return dict.fromkeys(names)
    places = len(re.findall(r"\?", re.sub(r"\?[1-9]", "", statement)))
    return (None,) * (places or max(map(int, re.findall(r"\?([1-9])", statement)), default=0))


@pytest.mark.parametrize("name", HOT)
def test_no_statement_walks_through_all_messages(name, tmp_path):
    path = tmp_path / "postbell.db"
    database.prepare(path)
    with closing(database.connect(path)) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {HOT[name]}", nothing_for(HOT[name]))]
    walked = {match[1] for step in plan if (match := WALKS.match(step))}
    assert walked <= FEW, plan
    assert name not in OF_MAILBOXES or not any(map(ALL_OF_A_USER.match, plan)), plan


def test_a_walk_would_be_seen(tmp_path):
    path = tmp_path / "postbell.db"
    database.prepare(path)
    with closing(database.connect(path)) as connection:
        plan = connection.execute("EXPLAIN QUERY PLAN SELECT count(*) FROM message WHERE peer = 'x'").fetchall()
    assert any(WALKS.match(step[3]) for step in plan)
