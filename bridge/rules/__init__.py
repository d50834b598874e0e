"""Whether a message rings, how much of it is told, and why. Pure.

Rules never lose a message. They decide whether it rings or is silent, and how much of it is told;
every message is kept, and is in the live set (docs/decisions/0010-rules-and-the-silent-flag.md).
The one exception is the operator's: spam that is to be suppressed is kept as if it were seen.
"""
