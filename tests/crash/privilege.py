"""Whether this process may mount a disk and make a network namespace: root is not always enough, in a container."""

from __future__ import annotations

from pathlib import Path

CAP_NET_ADMIN, CAP_SYS_ADMIN = 12, 21


def may_mount_and_unplug() -> bool:
    """Whether the capabilities for it are in effect (capabilities(7))."""
    status = Path("/proc/self/status").read_text("ascii")
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    bits = int(effective.split()[1], 16)
    return bool(bits >> CAP_NET_ADMIN & 1 and bits >> CAP_SYS_ADMIN & 1)
