"""LMTP as in RFC 2033: SMTP with LHLO, and one reply for each recipient after the data, also for one named twice."""

from __future__ import annotations

from typing import Final

from bridge.ingress.session import Dialect
from bridge.ingress.smtp import VERBS, lhlo

LMTP: Final = Dialect(
    name="LMTP",
    listener="lmtp",
    verbs={**VERBS, "LHLO": lhlo},
    each_recipient=True,
    indulgent=False,  # mail servers are mended
)
