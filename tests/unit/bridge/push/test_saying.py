"""What a device is told: plain, bounded, and no more than the operator wants."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.contract import ids
from bridge.kept import PushWaiting
from bridge.model import Header, Storm
from bridge.push import saying, sealing
from bridge.push.saying import Disclosure
from tests.support import source
from tests.support.push_service import Device

NUMBER = ids.decode("00t64ks8n")


def waiting(header=None, storm=None, unread=3):
    return PushWaiting(
        user_id=1,
        user="alice",
        device="phone",
        number=NUMBER,
        created_ms=0,
        failures=0,
        subscription=Device().at("https://push.example.net/x", "push.example.net"),
        header=header,
        storm=storm,
        unread=unread,
    )


def mail(name="Ada", address="ada@example.org", subject="Plan", snippet="See the drawing."):
    return Header(0, name, address, subject, snippet, 5)


def said(content=Disclosure.FULL, *, header=None, storm=None, web="https://mail.example.org", short=False):
    return json.loads(saying.notification(waiting(header, storm), content=content, web=web, short=short))


def test_the_declarative_form():
    assert said(header=mail()) == {
        "web_push": 8030,
        "notification": {
            "title": "Ada",
            "body": "Plan – See the drawing.",
            "navigate": "https://mail.example.org/#mail=00t64ks8n",
            "tag": "00t64ks8n",
        },
        "app_badge": 3,
    }


def test_without_an_origin_the_page_is_the_one_that_subscribed():
    assert said(header=mail(), web="")["notification"]["navigate"] == "/#mail=00t64ks8n"


@pytest.mark.parametrize(
    ("content", "title", "body"),
    [
        (Disclosure.FULL, "Ada", "Plan – See the drawing."),
        (Disclosure.SENDER, "Ada", None),
        (Disclosure.NONE, "New mail", None),
    ],
)
def test_no_more_is_told_than_is_wanted(content, title, body):
    shown = said(content, header=mail())["notification"]
    assert (shown["title"], shown.get("body")) == (title, body)


def test_a_short_form_has_nothing_that_could_be_left_out():
    shown = said(header=mail(), short=True)["notification"]
    assert set(shown) == {"title", "navigate", "tag"}
    assert shown["title"] == "New mail"


@pytest.mark.parametrize(
    ("header", "title", "body"),
    [
        (mail(name=""), "ada@example.org", "Plan – See the drawing."),
        (mail(name="", address=""), "(unknown sender)", "Plan – See the drawing."),
        (mail(subject=""), "Ada", "(no subject) – See the drawing."),
        (mail(snippet=""), "Ada", "Plan"),
        (mail(subject="…", snippet=""), "Ada", "…"),
    ],
    ids=["no name", "nobody", "no subject", "no snippet", "hidden"],
)
def test_what_a_mail_has_not(header, title, body):
    shown = said(header=header)["notification"]
    assert (shown["title"], shown["body"]) == (title, body)


@pytest.mark.parametrize(
    ("storm", "title", "body"),
    [
        (Storm(27, "Disk watch", "cron@host.example"), "Disk watch", "27 more"),
        (Storm(27, None, "cron@host.example"), "cron@host.example", "27 more"),
        (Storm(27, None, None), "New mail", "27 more"),
        (Storm(1, None, None), "New mail", "one more"),
    ],
)
def test_a_storm_is_one(storm, title, body):
    shown = said(storm=storm)["notification"]
    assert (shown["title"], shown["body"]) == (title, body)


HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), max_size=3000) | st.text('"\\', max_size=3000)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_whatever_a_stranger_wrote_is_plain_and_fits(name, subject, snippet):
    text = saying.notification(
        waiting(mail(name, name, subject, snippet)), content=Disclosure.FULL, web="https://x" * 20
    )
    assert len(text) <= sealing.MOST_BYTES
    shown = json.loads(text)["notification"]
    for line in (shown["title"], shown["body"]):
        assert not set(line) & set("\r\n\t\x00\x1b\x7f\x85\u2028\u202a\u202e\u2066\u2069"), "one line that runs one way"


def test_a_topic_is_what_push_services_take():
    topic = saying.topic(waiting(mail()))
    assert topic == "00t64ks8n"
    assert len(topic) <= 32


VECTORS = json.loads((source.ROOT / "tests" / "vectors" / "pushes.json").read_text("utf-8"))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_push_says_what_the_vector_says(vector):
    fields = {"from_name": "", "from_address": "", "subject": "", "snippet": "", "flags": 0, "size": 9}
    what = waiting(
        Header(**fields | vector["header"]) if "header" in vector else None,
        Storm(**vector["storm"]) if "storm" in vector else None,
        unread=vector["unread"],
    )
    text = saying.notification(what, content=Disclosure(vector["content"]), web=vector["web"])
    assert json.loads(text) == vector["text"]
