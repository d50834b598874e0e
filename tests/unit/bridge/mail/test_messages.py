"""Every message at hand gives the values that were written down for it, clean and at once."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from bridge.mail import content
from bridge.model import Flag
from tests import mail
from tests.unit.bridge.mail.clean import assert_clean, processor_s, read

FIELDS = {"from_name": "from_name", "from_addr": "from_address", "subject": "subject", "date": "date"}


@pytest.mark.parametrize("name", mail.expected())
def test_a_message_comes_out_as_expected(name):
    raw = (mail.OWN / name).read_bytes()
    extracted, text = read(raw), content.readable_text(raw)
    expected = mail.expected()[name]
    assert [said for said in expected.pop("text_contains", []) if said not in text] == []
    got = asdict(extracted) | {"flags": sorted(flag.name.lower() for flag in Flag if flag & extracted.flags)}
    assert {field: got[field] for field in expected} == expected


def test_every_message_has_expected_values():
    assert [str(path.relative_to(mail.OWN)) for path in mail.own()] == sorted(mail.expected())


FOREIGN = {}


def foreign(directory, parser):
    """What each foreign message says, read once by each reader of pages."""
    if parser not in FOREIGN:
        names = json.loads((directory / "expected.json").read_text())
        FOREIGN[parser] = {name: read((directory / name).read_bytes()) for name in names}
    return FOREIGN[parser]


@pytest.mark.parametrize("field", FIELDS)
def test_foreign_messages_come_out_as_expected(mail_dir, parser, field, capsys):
    right, wrong = 0, []
    for name, values in json.loads((mail_dir / "expected.json").read_text()).items():
        if field not in values:
            continue
        expected = values[field]["value"]
        if expected is None and field != "date":
            expected = ""
        got = getattr(foreign(mail_dir, parser)[name], FIELDS[field])
        if got == expected:
            right += 1
        else:
            wrong.append((name, expected, got))
    score = right / (right + len(wrong))
    with capsys.disabled():
        print(f" {field} {score:.2%} of {right + len(wrong)}", end="")  # noqa: T201 - the score is there to be read
    assert right > 110
    assert score >= 0.995, wrong


@pytest.mark.parametrize("path", mail.own(), ids=lambda path: path.stem)
def test_a_message_obeys_the_rules_of_text_and_takes_no_time(path):
    assert_clean(read(path.read_bytes()))
    assert processor_s(path.read_bytes(), bound_s=0.05) < 0.05


def test_foreign_messages_obey_the_rules_of_text_and_take_no_time(mail_dir):
    paths = mail.foreign()
    assert len(paths) == 150, mail_dir
    for path in paths:
        assert_clean(read(path.read_bytes()))
        assert processor_s(path.read_bytes(), bound_s=0.05) < 0.05
