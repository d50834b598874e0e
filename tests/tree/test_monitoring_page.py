"""What is said about metrics is true: each is explained, and dashboard and alerts ask for what there is."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bridge.contract.publication import Kind
from bridge.contract.requests import Operation, Status
from bridge.kept import PushResult
from bridge.metrics.catalogue import FAMILIES, LATENCY, PARTS
from bridge.metrics.exposition import Exposition
from bridge.metrics.readings import DiskReadings, Readings, StoreReadings
from bridge.metrics.sys_topics import FIGURES
from bridge.tally import Tally
from tests.support import source

FOLDER = source.ROOT / "docs" / "monitoring"
PAGE = FOLDER / "README.md"
OF_THE_LIBRARY = {
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
}
UNITS = ("_seconds", "_bytes", "_total", "_info")
COUNTS = {
    "users",
    "devices",
    "rows",
    "open",
    "files",
    "live_messages",
    "topics",
    "clients",
    "sessions",
    "subscriptions",
}
COUNTS |= {"retained_messages", "queued_messages", "folders", "online", "fds", "connected", "ready", "full"}
"""What a gauge may count or say instead, by the end of its name."""


@functools.cache
def exposition():
    """The page of a bridge in which everything has happened."""
    tally = Tally(monotonic=lambda: 50.0)
    tally.keep(1, 2, "ring", told=True)
    tally.arrive(1, 2)
    tally.refusals[550, "5.1.1"] += 1
    tally.messages_refused[451, "4.3.0"] += 1
    tally.requests["seen", "success"] += 1
    tally.pages[200] += 1
    tally.look(missing=1, different=0, stale=0, topics=1)
    readings = Readings(
        tally=tally,
        now_s=1e9,
        monotonic_s=60.0,
        version="1.2.3",
        connected=True,
        problems={"store": "full"},
        store=StoreReadings(users=1, devices=2, live=3, waiting={"message": 4, "view": 5}),
        disk=DiskReadings(free=1, size=2, database=3, spool=4, spool_files=5),
        broker=dict.fromkeys(FIGURES.values(), 1.0),
        expiries_s={"smtp": 2e9},
    )
    return Exposition().page(readings).decode()


@functools.cache
def exposed():
    """The same by name of family."""
    return {family.name: family for family in text_string_to_metric_families(exposition())}


def samples():
    return [sample for family in exposed().values() for sample in family.samples]


def explained():
    """The metrics of the page's tables with the names of their labels."""
    found = {}
    for row in PAGE.read_text("utf-8").splitlines():
        cells = row.split("|")
        if row.startswith("| `") and len(cells) == 6:
            labels = re.findall(r"`(\w+)`:" if ":" in cells[2] else r"`(\w+)`", cells[2])
            found |= {key: set(labels) for key in re.findall(r"`(\w+)`", cells[1])}
    return found


def names():
    """Every metric by the name that documents call it."""
    ours = {family.name: set(family.labels) for family in FAMILIES} | {LATENCY: {"le"}}
    return ours | {name: set() for name in OF_THE_LIBRARY}


def test_every_metric_is_explained_with_its_labels_and_no_other():
    assert explained() == names()


def test_every_metric_of_the_catalogue_is_exposed_and_nothing_is_that_is_not_there():
    assert {sample.name for sample in samples() if not sample.name.startswith(LATENCY)} == names().keys() - {LATENCY}
    assert {sample.name for sample in samples() if sample.name.startswith(LATENCY)} == {
        f"{LATENCY}_{part}" for part in ("bucket", "count", "sum")
    }


@pytest.mark.parametrize("family", exposed().values(), ids=lambda family: family.name)
def test_a_metric_has_help_a_type_and_a_name_by_the_rules_of_prometheus(family):
    assert re.fullmatch(r"(postbell|process)(_[a-z]+)+", family.name)
    assert family.documentation.endswith(".") or family.name.startswith("process_")
    assert family.type in {"counter", "gauge", "histogram"}
    [name] = {sample.name for sample in family.samples} if family.type != "histogram" else [family.name]
    assert name.endswith("_total") is (family.type == "counter")
    if family.type == "gauge":
        assert name.endswith((*UNITS, *COUNTS)), "its unit is the end of its name"
    assert "milli" not in name
    for sample in family.samples:
        assert all(re.fullmatch(r"[a-z]+", label) for label in sample.labels)


def test_no_metric_has_a_label_that_could_be_a_persons():
    allowed = {
        "version",
        "part",
        "protocol",
        "alert",
        "code",
        "status",
        "listener",
        "kind",
        "result",
        "operation",
        "reason",
        "state",
    }
    assert {label for sample in samples() for label in sample.labels} - {"le"} <= allowed


def test_the_histogram_is_one():
    buckets = [sample.value for sample in exposed()[LATENCY].samples if sample.name.endswith("_bucket")]
    assert buckets == sorted(buckets)
    assert buckets[-1] == next(sample.value for sample in samples() if sample.name == f"{LATENCY}_count") == 1


def test_what_is_not_known_is_left_out():
    bare = Readings(tally=Tally(), now_s=1e9, monotonic_s=1.0, version="1", connected=False, problems={})
    text = Exposition().page(bare).decode()
    told = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    assert told & {"postbell_users", "postbell_disk_free_bytes", "postbell_broker_clients"} == set()
    assert "postbell_reconcile_timestamp_seconds" not in told


def test_two_expositions_share_nothing():
    first, second = Exposition(), Exposition()
    assert vars(first)["_registry"] is not vars(second)["_registry"]


# --- what the pages say of labels -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "label", "values"),
    [
        ("postbell_ready", "part", set(PARTS)),
        ("postbell_published_total", "kind", {kind.value for kind in Kind} | {"tombstone"}),
        ("postbell_requests_total", "operation", {operation.value for operation in Operation} | {"other"}),
        ("postbell_requests_total", "result", {status.name.lower() for status in Status}),
        ("postbell_pushes_total", "result", {result.value for result in PushResult} | {"again"}),
    ],
)
def test_the_values_of_a_label_are_those_that_there_are(metric, label, values):
    [row] = [line for line in PAGE.read_text("utf-8").splitlines() if f"| `{metric}`" in line]
    [cell] = re.findall(rf"`{label}`:([^;|]*)", row)
    assert set(re.findall(r"`(\w+)`", cell)) == values


# --- dashboard and alerts -------------------------------------------------------------------------------


def asked_for(text):
    """The metrics that an expression asks for, by the names that documents call them."""
    found = set(re.findall(r"\b(?:postbell|process)_\w+", text))
    return {re.sub(r"_(bucket|sum|count)$", "", name) if name.startswith(LATENCY) else name for name in found}


def expressions():
    def walk(value):
        if isinstance(value, dict):
            yield from (each for key, each in value.items() if key == "expr")
            yield from (each for child in value.values() for each in walk(child))
        elif isinstance(value, list):
            yield from (each for child in value for each in walk(child))

    return list(walk(json.loads((FOLDER / "dashboard.json").read_text("utf-8"))))


def test_the_dashboard_asks_for_what_there_is_and_shows_nearly_all_of_it():
    asked = asked_for("\n".join(expressions()))
    assert asked <= names().keys()
    left_out = names().keys() - asked - OF_THE_LIBRARY
    assert left_out <= {
        "postbell_broker_uptime_seconds",
        "postbell_http_requests_total",
        "postbell_reconcile_timestamp_seconds",
        "postbell_reconcile_topics",
    }


def test_the_alerts_ask_for_what_there_is():
    rules = (FOLDER / "alerts.yml").read_text("utf-8")
    asked = asked_for("\n".join(re.findall(r"expr: (?:>-\n)?(.*)", rules)))
    assert len(asked) > 10
    assert asked <= names().keys()
    told = len(re.findall(r"- alert: Postbell[A-Z]\w+\n", rules))
    for part in ("expr:", "severity: ", "summary: ", "action: "):
        assert rules.count(part) == told


PROMTOOL = {
    "configuration": (["check", "config", str(FOLDER / "prometheus.yml")], ""),
    "rules": (["check", "rules", str(FOLDER / "alerts.yml")], ""),
    "metrics": (["check", "metrics"], exposition()),
}


@pytest.mark.parametrize("what", PROMTOOL)
def test_what_prometheus_itself_has_to_say(what):
    """Where its tool is at hand. It comes with Prometheus alone, a hundred megabytes, so the tests above do without."""
    promtool = shutil.which("promtool")
    if promtool is not None:
        arguments, given = PROMTOOL[what]
        done = subprocess.run([promtool, *arguments], input=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
