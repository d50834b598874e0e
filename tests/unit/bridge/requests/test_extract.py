"""What each operation gives of a raw message."""

from __future__ import annotations

import pytest

from bridge.contract.requests import Operation, Status
from bridge.errors import BadRequestError
from bridge.requests.answers import extract
from clients.contract.requests import decode_parts

RAW = (
    b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nAt nine.\r\n"
    b"--b\r\nContent-Type: image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n--b--\r\n"
)


def test_a_message_whole_as_text_as_a_list_and_in_part():
    assert extract(RAW, Operation.RAW, 0) == RAW
    assert extract(RAW, Operation.TEXT, 0).strip() == b"At nine."
    parts = decode_parts(extract(RAW, Operation.PARTS, 0))
    image = next(part for part in parts if part.file_name == "a.png")
    assert extract(RAW, Operation.PART, image.index) == b"\x00\x01\x02"


def test_a_part_that_is_not_there_says_so():
    with pytest.raises(BadRequestError) as caught:
        extract(RAW, Operation.PART, 99)
    assert caught.value.status == Status.NO_PART
