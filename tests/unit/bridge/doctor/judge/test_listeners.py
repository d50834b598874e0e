"""What is heard at a listener, judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.doctor.judge.check import Check
from bridge.doctor.judge.listeners import ListenerSeen, Met, Process, judge
from tests.support.findings import found

GOOD = ListenerSeen(
    Check.SMTP,
    "smtp.listen",
    "127.0.0.1:2525",
    listens="127.0.0.1:2525",
    answer=Met.RIGHT,
    holders=(Process(70, "postbell"),),
    ours=frozenset({70}),
)
STRANGER = (Process(9, "master"),)


def test_what_is_right_is_fine():
    assert judge(GOOD).ok is True
    assert judge(replace(GOOD, holders=())).ok is True
    assert judge(replace(GOOD, holders=(Process(1, "systemd"), Process(70, "postbell")))).ok is True


def test_what_is_off_or_does_not_run_or_cannot_be_seen_is_not_judged():
    off = judge(replace(GOOD, configured=""))
    assert (off.ok, off.problem) == (None, "off: smtp.listen is not set")
    assert judge(replace(GOOD, runs=None)).ok is None
    assert judge(replace(GOOD, runs=False, holders=())).ok is None
    assert judge(replace(GOOD, answer=Met.DENIED)).ok is None


@pytest.mark.parametrize("runs", [True, False])
def test_another_program_in_its_place(runs):
    finding = found([judge(replace(GOOD, runs=runs, holders=STRANGER))], "listener.smtp")
    assert "master (process 9) listens there" in finding.problem
    assert "embedded" not in finding.cure
    broker = replace(GOOD, check=Check.MQTT, key="broker.listen", holders=(Process(9, "mosquitto"),), runs=runs)
    assert "broker.embedded = false" in found([judge(broker)], "listener.mqtt").cure


def test_one_that_could_not_listen():
    assert "it does not listen there" in found([judge(replace(GOOD, listens="", holders=()))], "listener.smtp").problem


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Met.CLOSED, "nobody answers there"),
        (Met.SILENT, "nothing is said"),
        (Met.OTHER, "something else answers there: 'SSH-2.0'"),
    ],
)
def test_a_wrong_answer(answer, told):
    finding = found([judge(replace(GOOD, answer=answer, heard="'SSH-2.0'"))], "listener.smtp")
    assert told in finding.problem
