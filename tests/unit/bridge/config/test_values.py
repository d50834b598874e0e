"""The values of a configuration that say no: each refusal says what is wrong, and what to write instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.config import values
from bridge.config.endpoints import parse_network


@pytest.mark.parametrize(
    ("kind", "said", "told"),
    [
        (values.DIRECTORY, "", "no directory; write its whole path"),
        (values.DIRECTORY, "~/mail", "the ~ of a shell means nothing here; write the whole path"),
        (values.FILE, 7, "not a path"),
        (values.SIZE, "much", "not a size; write a number of bytes, or one with k, M or G behind it"),
        (values.NAME, "Alice", "not a name; use 1 to 32 of a-z 0-9 _ - and begin with a letter or digit"),
        (values.ROOT, "mail/#", "not a topic; use one or more levels of a-z 0-9 _ - without wildcards"),
        (values.ROOT, "", "not a topic"),
        (values.CONTACT, "you@example.org", "nobody to write to; write mailto:you@example.org or https://"),
        (values.HOSTS, ["push.example.org", "not a host"], "no host and no network; write push.example.org"),
        (values.HOSTS, [7], "no host and no network"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_cure(kind, said, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        kind.read(said)


@pytest.mark.parametrize(
    ("kind", "said", "value"),
    [
        (values.DIRECTORY, "/var/lib/postbell", Path("/var/lib/postbell")),
        (values.FILE, "", None),
        (values.SIZE, "25 MiB", 25 * 2**20),
        (values.NAME, "phone-2", "phone-2"),
        (values.ROOT, "home/mail", "home/mail"),
        (values.CONTACT, "", ""),
        (values.CONTACT, "https://example.org/contact", "https://example.org/contact"),
        (values.HOSTS, ["Push.Example.org", "192.168.0.0/16"], ("push.example.org", parse_network("192.168.0.0/16"))),
    ],
)
def test_what_is_said_is_read_and_what_was_read_is_taken_as_it_is(kind, said, value):
    assert kind.read(said) == value
    assert kind.read(value) == value
