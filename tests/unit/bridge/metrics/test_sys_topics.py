"""What brokers say of themselves below `$SYS`."""

from __future__ import annotations

import re

import pytest

from bridge.metrics import sys_topics
from bridge.metrics.sys_topics import FIGURES, FILTERS, Figures, figure, name_of
from broker.statistics import Statistics
from broker.vitals import Vitals


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (b"17", 17.0),
        (b"0.000251", 0.000251),
        (b"1234 seconds", 1234.0),
        (b" 5\n", 5.0),
        (b"", None),
        (b"many", None),
        (b"-1", None),
        (b"1e300", None),
        (b"nan", None),
        (b"9" * 40, None),
        (b"\xff\xfe", None),
        (b"mosquitto version 2.0.18", None),
    ],
)
def test_a_number_is_read_and_nothing_else(payload, value):
    assert figure(payload) == value


@pytest.mark.parametrize(
    ("topic", "name"),
    [
        ("$SYS/broker/clients/connected", "clients"),
        ("$SYS/broker/retained messages/count", "retained"),
        ("$SYS/broker/dropped/queue_full", "dropped/queue_full"),
        ("$SYS/broker/publish/messages/dropped", "dropped/unsent"),
        ("$SYS/broker/dropped/Alice Example", None),
        ("$SYS/broker/dropped/" + "x" * 80, None),
        ("$SYS/broker/load/messages/sent/1min", None),
        ("mail/alice/box", None),
    ],
)
def test_a_topic_is_a_figure_that_is_known_or_none(topic, name):
    assert name_of(topic) == name


def test_every_name_of_the_embedded_broker_is_read():
    numbers = {"sessions": 1, "subscriptions": 1, "retained": 1, "queued": 1}
    statistics = Statistics()
    statistics.drop("queue_full")
    for topic, text in statistics.topics(**numbers, uptime_s=1.0, vitals=Vitals().figures()).items():
        assert name_of(topic), topic
        assert figure(text.encode()) is not None, topic
        assert any(re.fullmatch(each.replace("$", r"\$").replace("+", "[^/]+"), topic) for each in FILTERS), topic


def test_figures_are_of_one_broker_and_its_newest():
    figures = Figures()
    figures.take("$SYS/broker/clients/connected", b"3")
    figures.take("$SYS/broker/clients/connected", b"4")
    figures.take("$SYS/broker/clients/connected", b"nonsense")
    figures.take("$SYS/broker/version", b"1")
    assert figures.figures() == {"clients": 4}
    figures.forget()
    assert figures.figures() == {}


def test_a_broker_that_invents_reasons_fills_no_memory(monkeypatch):
    monkeypatch.setattr(sys_topics, "REASONS_AT_MOST", 2)
    figures = Figures()
    for number in range(1000):
        figures.take(f"$SYS/broker/dropped/reason{number}", b"1")
    figures.take("$SYS/broker/dropped/reason0", b"2")
    assert len(figures.figures()) == len(FIGURES) + 2
    assert figures.figures()["dropped/reason0"] == 2
