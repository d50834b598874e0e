"""Topics are built only from names that cannot harm, and only a device's own request topic is one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.contract import topics

names = st.from_regex(topics.NAME, fullmatch=True)
roots = st.lists(names, min_size=1, max_size=3).map("/".join)


@given(st.text(max_size=40))
def test_a_valid_name_can_stand_in_a_topic_and_in_a_login(name):
    if topics.valid_name(name):
        assert re.fullmatch(r"[a-z0-9_-]{1,32}", name)
        assert not set(name) & set("/+#.$ \0")


@given(roots, names, names)
def test_a_request_is_known_by_its_topic(root, user, device):
    assert topics.parse_request(root, f"{root}/{user}/do/{device}") == topics.RequestTopic(user, device)


@given(roots, st.text(max_size=60))
def test_any_other_topic_is_no_request(root, topic):
    found = topics.parse_request(root, topic)
    assert found is None or topic == f"{root}/{found.user}/do/{found.device}"


@pytest.mark.parametrize("what", ["msg", "re", "box", "Do", "do/x"])
def test_another_branch_of_the_tree_is_no_request(what):
    assert topics.parse_request("mail", f"mail/alice/{what}/phone") is None


@given(names, names)
def test_what_goes_to_one_user_stays_below_that_user(user, device):
    paths = [topics.message(user, "00t64ks8n"), topics.reply(user, device)]
    paths += [topics.view(user, view) for view in (*topics.STATE_VIEWS, *topics.OPTIONAL_VIEWS)]
    assert all(path.startswith(f"{user}/") for path in paths)
    assert topics.parse_request("mail", f"mail/{paths[1]}") is None


@given(roots, names)
def test_what_the_bridge_listens_to_and_says_of_itself_is_no_request(root, node):
    assert topics.request_filter(root) == f"{root}/+/do/+"
    for own in (topics.status(node), topics.marker(node)):
        assert own.startswith(f"mail-bridge/{node}/")
        assert topics.parse_request(root, own) is None


def test_the_box_digest_cannot_be_switched_off():
    assert set(topics.STATE_VIEWS) - set(topics.OPTIONAL_VIEWS) == {"box"}
