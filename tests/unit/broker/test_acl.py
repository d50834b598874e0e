"""The topic rules, as a table."""

from __future__ import annotations

import pytest

from broker.acl import Identity, Role, Rules

RULES = Rules("mail")
PHONE = Identity("alice.phone", Role.DEVICE)
BRIDGE = Identity("bridge", Role.BRIDGE)
ADMIN = Identity("root", Role.ADMIN)


@pytest.mark.parametrize(
    "granted",
    [
        "mail/alice/#",
        "mail/alice",
        "mail/alice/msg/+",
        "mail/alice/+",
        "mail/alice/+/tablet",
        "mail/alice/re/phone",
        "mail/alice/re/+",
        "mail/alice/do/phone",
        "mail/alice/do/+",
        "mail/alice/do/#",
        "mail/alice/re/#",
        "mail-bridge/+/status",
        "mail-bridge/main/status",
    ],
)
def test_a_device_is_granted(granted):
    assert RULES.may_subscribe(PHONE, granted)


@pytest.mark.parametrize(
    "refused",
    [
        "#",
        "+/#",
        "mail/#",
        "mail/+/text",
        "mail/+",
        "mail/bob/#",
        "mail/bob/msg/+",
        "mail/alice2/#",
        "mail/alic/#",
        "mail/alice/re/tablet",
        "mail/alice/re/tablet/#",
        "mail/alice/do/tablet",
        "mail/alice/do/tablet/#",
        "+/alice/#",
        "$SYS/#",
        "$SYS/broker/uptime",
        "mail-bridge/#",
        "mail-bridge/+",
        "mail-bridge/+/other",
        "mail-bridge/#/status",
        "/mail/alice/#",
        "mail//alice/#",
    ],
)
def test_a_device_is_refused(refused):
    assert not RULES.may_subscribe(PHONE, refused)


@pytest.mark.parametrize(
    ("topic", "allowed"),
    [
        ("mail/alice/msg/0", True),
        ("mail/alice/re/phone", True),
        ("mail/alice/re/tablet", False),
        ("mail/alice/re", True),
        ("mail/alice/do/tablet", False),
        ("mail/alice/do/phone", True),
        ("mail/alice/do", True),
        ("mail/alice/dos/tablet", True),
        ("mail/alicia/msg/0", False),
        ("mail/bob/msg/0", False),
        ("mail-bridge/main/status", True),
        ("mail-bridge/main/other", False),
        ("$SYS/broker/uptime", False),
        ("other", False),
    ],
)
def test_what_reaches_a_device(topic, allowed):
    assert RULES.may_read(PHONE, topic) is allowed


@pytest.mark.parametrize(
    ("who", "topic", "allowed"),
    [
        (PHONE, "mail/alice/do/phone", True),
        (PHONE, "mail/alice/do/tablet", False),
        (PHONE, "mail/alice/do/phone/x", False),
        (PHONE, "mail/alice/msg/0", False),
        (PHONE, "mail/bob/do/phone", False),
        (PHONE, "mail-bridge/main/status", False),
        (BRIDGE, "mail/alice/msg/0", True),
        (BRIDGE, "mail-bridge/main/status", True),
        (BRIDGE, "mailbox/x", False),
        (BRIDGE, "$SYS/broker/uptime", False),
        (ADMIN, "mail/alice/do/phone", False),
        (ADMIN, "mail-bridge/main/status", False),
    ],
)
def test_who_may_write(who, topic, allowed):
    assert RULES.may_write(who, topic) is allowed


@pytest.mark.parametrize("topic_filter", ["#", "mail/#", "$SYS/#", "mail-bridge/#", "+/+/text"])
def test_an_administrator_reads_all(topic_filter):
    assert RULES.may_subscribe(ADMIN, topic_filter)


@pytest.mark.parametrize(
    ("topic_filter", "granted"), [("mail/+/do/+", True), ("$SYS/#", True), ("#", False), ("x", False)]
)
def test_the_bridge_reads_its_trees(topic_filter, granted):
    assert RULES.may_subscribe(BRIDGE, topic_filter) is granted


def test_a_request_is_as_large_as_the_bridge_reads_it_and_nothing_else_is_bounded():
    own = "mail/alice/do/phone"
    assert [RULES.refuses(PHONE, own, size) for size in (16_384, 16_385)] == [None, "too_large_request"]
    assert RULES.refuses(PHONE, "mail/bob/do/phone", 1) == "not_allowed"
    assert RULES.refuses(BRIDGE, "mail/alice/re/phone", 10**6) is None


def test_only_the_bridge_retains():
    assert [RULES.may_retain(who) for who in (PHONE, BRIDGE, ADMIN)] == [False, True, False]


def test_a_root_of_several_levels():
    rules = Rules("home/mail")
    assert rules.may_subscribe(PHONE, "home/mail/alice/#")
    assert not rules.may_subscribe(PHONE, "home/+/alice/#")
    assert not rules.may_read(PHONE, "home/mail/alice/re/tablet")


HOME = Rules("mail", "homeassistant")
OWN = "homeassistant/device/mail_alice/config"


@pytest.mark.parametrize(
    "topic_filter", [OWN, "homeassistant/#", "homeassistant/+/+/config", "homeassistant/device/+/config"]
)
def test_a_device_may_look_for_what_home_assistant_finds(topic_filter):
    assert HOME.may_subscribe(PHONE, topic_filter)
    assert not RULES.may_subscribe(PHONE, topic_filter)


@pytest.mark.parametrize("topic", ["homeassistant/device/mail_bob/config", "homeassistant/status", "homeassistant/x"])
def test_a_device_finds_its_own_user_s_alone(topic):
    assert HOME.may_read(PHONE, OWN)
    assert not RULES.may_read(PHONE, OWN)
    assert not HOME.may_read(PHONE, topic)


def test_a_device_says_that_home_assistant_started_and_announces_nothing():
    assert HOME.may_write(PHONE, "homeassistant/status")
    assert not RULES.may_write(PHONE, "homeassistant/status")
    assert not RULES.may_write(PHONE, "/status")
    assert not HOME.may_write(PHONE, OWN)


@pytest.mark.parametrize(
    "topic", ["homeassistant/status", "homeassistant/device/x/y/config", "homeassistant/device/config"]
)
def test_the_bridge_announces_and_hears(topic):
    assert HOME.may_write(BRIDGE, OWN)
    assert not RULES.may_write(BRIDGE, OWN)
    assert not HOME.may_write(BRIDGE, topic)
    assert HOME.may_subscribe(BRIDGE, "homeassistant/device/+/config")
    assert HOME.may_read(BRIDGE, "homeassistant/status")
    assert not RULES.may_read(BRIDGE, "homeassistant/status")
    assert not HOME.may_read(ADMIN, OWN)


def test_under_a_root_of_several_levels_it_has_one_name():
    assert Rules("home/mail", "ha").may_read(PHONE, "ha/device/home_mail_alice/config")
