"""What a library takes along only because it is installed, and nobody here uses: it costs memory as long as we run."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def spared(*names: str) -> Iterator[None]:
    """In this block the modules of these names seem not to be installed, unless they are imported already.

    `None` in `sys.modules` is Python's own way to say so (Language Reference, 5.3.1). Behind it they can be imported.
    """
    modules: dict[str, Any] = sys.modules
    hidden = [name for name in names if name not in modules]
    modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            del modules[name]
