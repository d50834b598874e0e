"""Lines that a mail program has broken and says so: `format=flowed` with `DelSp=yes` (RFC 3676 §4)."""

from __future__ import annotations

import re

_QUOTED = re.compile(">*")


def joined(text: str) -> str:
    """`text` with lines that end in a space joined to the next of the same depth of quotes, that space left out.

    So do languages write that have no blanks between words, and words that are longer than a line. A signature's
    `-- ` ends in a space, too, and is no such line.
    """
    lines: list[list[str]] = []
    flows, above = False, ""
    for line in text.split("\n"):
        bare = line.removesuffix("\r")
        depth = _QUOTED.match(bare)
        quotes = depth[0] if depth else ""
        said = bare[len(quotes) :].removeprefix(" ")  # space-stuffing (§4.4)
        goes_on = said.endswith(" ") and said != "-- "
        said = said[:-1] if goes_on else said
        if flows and quotes == above and said != "-- ":
            lines[-1].append(said)
        else:
            lines.append([f"{quotes} {said}" if quotes else said])
        flows, above = goes_on, quotes
    return "\n".join(map("".join, lines))
