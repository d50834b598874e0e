"""Rules and messages of any kind, for the tests of this package."""

from __future__ import annotations

from hypothesis import strategies as st

from bridge.model import Header
from bridge.rules.hide import Hide
from bridge.rules.rules import read
from bridge.rules.spam import SpamAction


def rules(**said):
    """The rules of what is said of each."""
    return read(said)


local_parts = st.sampled_from(["bob", "ann", "Ümit", "a b", ""])
domains = st.sampled_from(["news.example", "shop.example", "x", "-", ""])
addresses = st.builds("{}@{}".format, local_parts, domains) | st.text(max_size=30)
list_ids = st.sampled_from(["", "weekly.news.example"]) | st.text(max_size=20)
patterns = st.sampled_from(["bob@news.example", "@news.example", "@shop.example", "weekly.news.example", "ann@x"])
spans = st.builds(
    "{:02}:{:02}-{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 29), st.integers(0, 23), st.integers(30, 59)
)
rule_sets = st.builds(
    rules,
    mute=st.lists(patterns).map(tuple),
    vip=st.lists(patterns).map(tuple),
    quiet=st.lists(spans, max_size=3).map(tuple),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"]),
    hide=st.sampled_from(Hide),
    rate=st.sampled_from(["", "1/1s", "20/10m", "1000/24h"]),
)
headers = st.builds(
    Header,
    flags=st.integers(0, 2047),
    from_name=st.text(max_size=10),
    from_address=addresses,
    subject=st.text(max_size=10),
    snippet=st.text(max_size=10),
    size=st.integers(0, 2**31),
)


arrivals = st.fixed_dictionaries(
    {
        "list_id": list_ids,
        "now_ms": st.integers(0, 4_102_444_800_000),
        "rings": st.integers(0, 2000),
        "spam": st.sampled_from(SpamAction),
    }
)
