"""Every metric that there is. Pure.

docs/monitoring/README.md explains each to operators; a test compares the two. No name of a user is ever a label.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.metrics.family import counter, each, gauge, of_broker, on_disk, one, replies, stored

if TYPE_CHECKING:
    from bridge.metrics.family import Samples
    from bridge.metrics.readings import Readings

STATES: Final = ("connecting", "following", "polling", "called", "refused")
"""How following a folder can go."""
PARTS: Final = ("mail", "store", "broker")
"""What has to be ready."""


def _dropped(readings: Readings) -> Samples:
    prefix = "dropped/"
    return [((name.removeprefix(prefix),), count) for name, count in readings.broker.items() if name.startswith(prefix)]


def _looked_at(readings: Readings) -> float | None:
    looked_at_s = readings.tally.looked_at_s
    return None if looked_at_s is None else readings.now_s - (readings.monotonic_s - looked_at_s)


BRIDGE: Final = (
    gauge("build_info", "The version that runs.", lambda readings: [((readings.version,), 1)], "version"),
    gauge(
        "ready",
        "Whether each part can do its work: 1 or 0.",
        lambda readings: [((part,), part not in readings.problems) for part in PARTS],
        "part",
    ),
    # --- mail comes in
    counter(
        "messages_accepted",
        "Messages that were answered 250 for somebody, or fetched out of a mailbox.",
        each(lambda readings: readings.tally.accepted, "smtp", "lmtp", "imap"),
        "protocol",
    ),
    counter(
        "messages_kept",
        "Messages kept for a user, by what was decided of their ringing.",
        each(lambda readings: readings.tally.kept, "ring"),
        "alert",
    ),
    counter(
        "messages_copies",
        "Deliveries of a message that was there already.",
        one(lambda readings: readings.tally.copies),
    ),
    counter(
        "messages_refused",
        "Whole messages that were refused behind their data, by SMTP code and enhanced code.",
        replies(lambda readings: readings.tally.messages_refused),
        "code",
        "status",
    ),
    counter(
        "smtp_refusals",
        "Every 4xx and 5xx to a mail sender, by SMTP code and enhanced code.",
        replies(lambda readings: readings.tally.refusals),
        "code",
        "status",
    ),
    counter(
        "smtp_connections",
        "Connections of mail senders that were let in.",
        each(lambda readings: readings.tally.sessions, "smtp", "smtps", "lmtp"),
        "listener",
    ),
    gauge(
        "smtp_connections_open",
        "Connections of mail senders that go on now.",
        each(lambda readings: readings.tally.sessions_open, "smtp", "smtps", "lmtp"),
        "listener",
    ),
    # --- mail goes out
    gauge(
        "outbox_rows",
        "Topics that wait for the broker.",
        each(lambda readings: {} if readings.store is None else readings.store.waiting),
        "kind",
    ),
    gauge(
        "outbox_oldest_seconds",
        "How long the oldest message of them has waited, as far as this process has seen.",
        one(lambda readings: readings.oldest_wait_s),
    ),
    counter(
        "published",
        "Publishes that the broker acknowledged.",
        each(lambda readings: readings.tally.published, "msg"),
        "kind",
    ),
    gauge(
        "broker_connected",
        "Whether there is a connection to the broker: 1 or 0.",
        one(lambda readings: readings.connected),
    ),
    counter(
        "broker_links",
        "Connections to the broker, by what became of them.",
        each(lambda readings: readings.tally.links, "connected", "failed", "lost"),
        "result",
    ),
    counter(
        "reconcile_looks",
        "Comparisons with what the broker holds.",
        each(lambda readings: readings.tally.looks, "done", "failed"),
        "result",
    ),
    counter(
        "reconcile_repairs",
        "Topics that were wrong on the broker and were published anew.",
        each(lambda readings: readings.tally.repairs, "missing", "different", "stale"),
        "kind",
    ),
    gauge(
        "reconcile_topics",
        "Topics that the broker held at the last comparison.",
        one(lambda readings: readings.tally.topics_there),
    ),
    gauge("reconcile_timestamp_seconds", "When the last comparison was done.", one(_looked_at)),
    # --- devices ask
    counter(
        "requests",
        "Requests of devices, by operation and how they went.",
        lambda readings: list(readings.tally.requests.items()),
        "operation",
        "result",
    ),
    counter("replies_dropped", "Replies that found no broker.", one(lambda readings: readings.tally.replies_dropped)),
    # --- devices are rung
    counter(
        "pushes",
        "Messages to devices by push, by what became of each; `again` is each try that was not taken.",
        each(lambda readings: readings.tally.pushes, "sent", "again", "forgotten"),
        "result",
    ),
    gauge("push_rows", "Messages that wait for push services.", stored(lambda store: store.push_waiting)),
    gauge("push_oldest_seconds", "How long the oldest of them has waited.", stored(lambda store: store.push_oldest_s)),
    gauge("push_subscriptions", "Devices that are rung by push.", stored(lambda store: store.rung)),
    # --- mailboxes are followed
    gauge(
        "mailbox_folders",
        "Folders of mailboxes that are followed, by how that goes.",
        each(lambda readings: readings.mailboxes.states, *STATES),
        "state",
    ),
    counter(
        "mailbox_connections",
        "Connections to mail servers that were logged in.",
        one(lambda readings: readings.mailboxes.connections),
    ),
    counter(
        "mailbox_marked",
        "Mails in mailboxes that were marked as seen, or as unseen.",
        one(lambda readings: readings.mailboxes.marked),
    ),
    gauge(
        "mailbox_lag_seconds",
        "How long the last news of a folder took to be on disk, for the slowest folder.",
        one(lambda readings: readings.mailboxes.lag_s),
    ),
    # --- what is kept
    gauge("users", "Users.", stored(lambda store: store.users)),
    gauge("devices", "Devices that have a login.", stored(lambda store: store.devices)),
    gauge(
        "users_full",
        "Users whose mail is refused, as they have limits.messages.",
        one(lambda readings: readings.users_full),
    ),
    gauge("live_messages", "Messages in the live sets of all users.", stored(lambda store: store.live)),
    counter(
        "bodies_dropped",
        "Bodies and old headers that were dropped.",
        one(lambda readings: readings.tally.bodies_dropped),
    ),
    gauge("database_bytes", "Size of the database with its log.", on_disk(lambda disk: disk.database)),
    gauge("spool_bytes", "Size of the bodies in the spool.", on_disk(lambda disk: disk.spool)),
    gauge("spool_files", "Bodies in the spool.", on_disk(lambda disk: disk.spool_files)),
    gauge("disk_free_bytes", "What Postbell may still write beside state_dir.", on_disk(lambda disk: disk.free)),
    gauge("disk_size_bytes", "Size of the file system with state_dir.", on_disk(lambda disk: disk.size)),
    gauge(
        "certificate_expiry_timestamp_seconds",
        "When the certificate of a listener ends.",
        each(lambda readings: readings.expiries_s),
        "listener",
    ),
    # --- the process
    gauge(
        "loop_lag_seconds",
        "How late the event loop came at worst in the last minute.",
        one(lambda readings: readings.loop_lag_s),
    ),
    counter(
        "http_requests",
        "Answers over HTTP, by status.",
        lambda readings: [((str(status),), count) for status, count in readings.tally.pages.items()],
        "status",
    ),
)

BROKER: Final = (
    gauge("broker_uptime_seconds", "How long the broker has run.", of_broker("uptime")),
    gauge("broker_clients", "Connections that the broker has, the bridge's among them.", of_broker("clients")),
    gauge("broker_devices_online", "Devices that are connected (embedded broker).", of_broker("devices")),
    gauge("broker_sessions", "Sessions that the broker keeps.", of_broker("sessions")),
    gauge("broker_subscriptions", "Subscriptions of all sessions.", of_broker("subscriptions")),
    gauge("broker_retained_messages", "Topics with a retained message.", of_broker("retained")),
    gauge("broker_queued_messages", "Messages that wait for devices (embedded broker).", of_broker("queued")),
    counter("broker_connections_accepted", "Clients that were let in (embedded broker).", of_broker("accepted")),
    counter("broker_messages_received", "Messages that clients sent.", of_broker("received")),
    counter("broker_messages_sent", "Messages that were sent to clients.", of_broker("sent")),
    counter(
        "broker_resubscriptions",
        "Subscriptions of devices to what they had: a gap healed, or an app's habit (embedded broker).",
        of_broker("renewed"),
    ),
    counter("broker_dropped", "What the broker refused, cut off or dropped, by reason.", _dropped, "reason"),
    gauge(
        "broker_loop_lag_seconds",
        "How late the broker's event loop came at worst in the last minute (embedded broker).",
        of_broker("loop_lag"),
    ),
    gauge("broker_resident_memory_bytes", "Memory of the broker's process (embedded broker).", of_broker("memory")),
    gauge("broker_open_fds", "Descriptors of the broker's process (embedded broker).", of_broker("descriptors")),
    counter("broker_cpu_seconds", "Processor time of the broker's process (embedded broker).", of_broker("cpu")),
)

LATENCY: Final = "postbell_publish_latency_seconds"
LATENCY_HELP: Final = "From the commit of a message to the broker's acknowledgement of its header."
"""The only histogram; `exposition.py` makes it of the tally's."""

FAMILIES: Final = (*BRIDGE, *BROKER)
