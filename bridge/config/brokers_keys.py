"""The names of the broker's keys; all else of them the broker is asked: brokers.py."""

from __future__ import annotations

BROKERS_KEYS = {
    "broker": frozenset(
        {
            "tls_listen",
            "secure_websocket",
            "tls_cert",
            "tls_key",
            "tls_client_ca",
            "insecure",
            "proxies",
            "origins",
            "session_days",
            "keep_alive",
        }
    ),
    "limits": frozenset(
        {
            "packet",
            "clients",
            "clients_per_address",
            "connect_timeout",
            "handshake_timeout",
            "login_failures",
            "queue",
            "queue_bytes",
            "queue_total",
            "inflight",
            "subscriptions",
            "publish_rate",
            "write_buffer",
            "stall_timeout",
        }
    ),
}
"""Keys that the broker alone reads, in the sections that both read (broker/settings.py)."""

SWITCHES = frozenset({("broker", "insecure")})
"""Those of them that are true or false."""
