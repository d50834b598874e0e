"""Headers of any kind, and what readers see as one character, for the tests of this package."""

from __future__ import annotations

from hypothesis import strategies as st

from bridge.model import Header

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
FLAG = "\U0001f1ea\U0001f1fa"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
JOINED = [
    "a",
    " ",
    "é",
    "e\u0323\u0302",
    "ב",
    "字",
    FAMILY,
    FLAG,
    SCOTLAND,
    "\U0001f44d\U0001f3fd",
    "1\ufe0f\u20e3",
    "नि",
]
"""What readers see as one character each."""

texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=300)
headers = st.builds(
    Header,
    flags=st.integers(0, 4095),
    from_name=texts,
    from_address=texts,
    subject=texts,
    snippet=texts,
    size=st.integers(0, 2**50),
    detail=st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]), max_size=64),
    date=st.none() | st.integers(0, 4_102_444_800),
)
