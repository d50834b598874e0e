"""What several tiers of tests share."""

from __future__ import annotations

from typing import Any

UNUSED: Any = None
"""In the place of a part that a test never reaches."""
