"""How large the header of a mail is that devices get, beside other forms and beside the mail itself.

    make bench ARGS="payload [--json FILE]"

Over all messages that tests read, those that others wrote where they are there. Each payload is read back, by the
bridge and by the clients' own reader, before it counts.
"""

from __future__ import annotations

import json
import sys
import zlib
from statistics import median
from typing import TYPE_CHECKING

import msgpack

from bridge.bench.figures import percentile
from bridge.contract.header import pack_header, unpack_header
from bridge.mail.headers import extract
from bridge.model import Header
from clients.contract.header import decode_header
from tests.bench import suite
from tests.bench.result import Chart, Result, Table, agree
from tests.mail import foreign, own

if TYPE_CHECKING:
    from tests.bench.suite import Options

LIMIT = 512
NAMES = ("flags", "from_name", "from_address", "subject", "snippet", "size", "detail", "date")
LISTED = (b"from:", b"subject:", b"date:")
OURS = "positional MessagePack, as published"


def header_of(raw: bytes) -> Header:
    """What the bridge reads of a mail."""
    found = extract(raw, size=len(raw), complete=True, authserv_ids=frozenset(), spam_headers=())
    return Header(
        int(found.flags), found.from_name, found.from_address, found.subject, found.snippet, len(raw), "", found.date
    )


def forms(raw: bytes) -> dict[str, int]:
    """Bytes of each form of one mail's header."""
    packed = pack_header(header_of(raw), limit=LIMIT)
    read = unpack_header(packed)
    heard = decode_header(packed)
    same = sum(getattr(read, name) == getattr(heard, name) for name in ("subject", "from_address", "snippet", "size"))
    agree("a header, as bridge and clients read it", 4, fields=same)
    named = {name: getattr(read, name) for name in NAMES if getattr(read, name)}
    head = raw.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    fields = head.replace(b"\n ", b" ").replace(b"\n\t", b" ").splitlines()
    listed = [line for line in fields if line.lower().startswith(LISTED)]
    return {
        OURS: len(packed),
        "MessagePack with names": len(msgpack.packb(named)),
        "JSON": len(json.dumps(named, ensure_ascii=False, separators=(",", ":")).encode()),
        "positional MessagePack, deflated": len(zlib.compress(packed, 9)),
        "From, Subject and Date of the mail": sum(len(line) + 2 for line in listed),
        "all of its header": len(head),
        "the mail": len(raw),
    }


def measure(options: Options) -> Result:
    """Median and 95th percentile of each form."""
    paths = [*own(), *foreign()]
    found: dict[str, list[int]] = {}
    for path in options.steps("payload", paths[:20] if options.small else paths):
        for name, octets in forms(path.read_bytes()).items():
            found.setdefault(name, []).append(octets)
    spread = {name: (median(values), percentile(sorted(values), 95)) for name, values in found.items()}
    ours = spread[OURS]
    return Result(
        suite="payload",
        title="Bytes of a header",
        about="What a device gets of a mail, beside the same in other forms, and beside what there is to download.",
        conditions=f"{len(found[OURS])} messages; at most {LIMIT} bytes (`limits.payload`).",
        tables=[
            Table(
                "Bytes",
                ["", "median", "95 %", "median ÷ ours"],
                [[name, round(middle), most, middle / ours[0]] for name, (middle, most) in spread.items()],
            )
        ],
        charts=[
            Chart(
                "payload",
                "Bytes, median and 95 %",
                list(spread),
                {"median": [each[0] for each in spread.values()], "95 %": [each[1] for each in spread.values()]},
                logarithmic=True,
            )
        ],
    )


if __name__ == "__main__":
    sys.exit(suite.main(measure))
