"""The database and its disk: whether mail can be kept, and whether what was kept is sound. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.doctor.judge.check import Check
from bridge.doctor.judge.finding import Finding, broken, fine, unknown

MIB = 2**20
LOG_BYTES = 256 * MIB
"""SQLite takes its log into the database at 4 MiB; only a reader that never ends lets it grow so far."""
OF_STORE = (Check.OPENS, Check.SOUND, Check.SCHEMA, Check.WRITABLE, Check.LOG, Check.ROOM)
OF_FILES = (Check.SOUND, Check.LOG, Check.ROOM)


@dataclass(frozen=True, slots=True)
class StoreSeen:
    """What was seen of the database at `path`.

    `error` says why it could not be opened, and the rest then says nothing. `damage` is what is wrong in the
    file, "" if nothing is, and None when there was no time to look through it. `refusal` says why it could not be
    written. `bodies_bytes` is what mail takes now, `body_total` what it may take.
    """

    path: str
    error: str = ""
    missing: bool = False
    ours: bool = True
    damage: str | None = ""
    schema: int = 0
    newest_schema: int = 0
    refusal: str = ""
    log_bytes: int = 0
    free_bytes: int = 0
    bodies_bytes: int = 0
    body_total: int = 0
    elsewhere: bool = False
    """Whether it is a database of a server, which has the files."""


def judge(store: StoreSeen, *, closed: bool) -> list[Finding]:
    """All findings of the hop `store`; `closed` to whoever may not look into the state directory."""
    if closed:
        return [unknown(check, f"this user cannot look into {store.path}") for check in OF_STORE]
    if store.missing or store.error or not store.ours:
        rest = [unknown(check, "the database cannot be opened") for check in OF_STORE[1:]]
        return [_unopened(store), *rest]
    if store.elsewhere:
        others = [unknown(check, "this is for the server of the database to tell") for check in OF_FILES]
        return [fine(Check.OPENS), _schema(store), _writable(store), *others]
    return [fine(Check.OPENS), _sound(store), _schema(store), _writable(store), _log(store), _room(store)]


def _unopened(store: StoreSeen) -> Finding:
    if store.missing:
        return broken(
            Check.OPENS,
            f"there is no database {store.path}",
            "mend state_dir, or begin there: systemctl start postbell, or: postbell user add NAME --address ADDR",
        )
    if store.elsewhere:
        return broken(
            Check.OPENS,
            f"the database cannot be opened: {store.error}",
            "start PostgreSQL, or mend store.url; senders get 451 and keep their mail meanwhile",
        )
    if not store.error:
        return broken(
            Check.OPENS,
            f"{store.path} is a database of another program",
            "set another state_dir, or move the file away",
        )
    return broken(
        Check.OPENS,
        f"{store.path} cannot be opened: {store.error}",
        "look at its owner and mode, and at the disk; a damaged one is saved with: postbell salvage",
    )


def _sound(store: StoreSeen) -> Finding:
    if store.damage is None:
        return unknown(Check.SOUND, "it is too large to be looked through in this time; each start of the bridge does")
    if not store.damage:
        return fine(Check.SOUND)
    return broken(
        Check.SOUND,
        f"{store.path} is damaged ({store.damage}); no mail is taken meanwhile, and the senders keep it",
        "stop Postbell, then restore a backup, or: postbell salvage",
    )


def _schema(store: StoreSeen) -> Finding:
    if store.schema == store.newest_schema:
        return fine(Check.SCHEMA)
    if store.schema > store.newest_schema:
        return broken(
            Check.SCHEMA,
            f"{store.path} is of a newer Postbell (schema {store.schema}, this one knows {store.newest_schema})",
            "run the newer version, or restore the backup from before the upgrade",
        )
    return broken(
        Check.SCHEMA,
        f"{store.path} has schema {store.schema} of {store.newest_schema}: an older version runs, or ran last",
        "systemctl restart postbell",
    )


def _writable(store: StoreSeen) -> Finding:
    if not store.refusal:
        return fine(Check.WRITABLE)
    return broken(
        Check.WRITABLE,
        f"{store.path} cannot be written: {store.refusal}; senders get 451 and keep their mail",
        "make room on the disk, or mend owner and mode, or mount it for writing",
    )


def _log(store: StoreSeen) -> Finding:
    if store.log_bytes <= LOG_BYTES:
        return fine(Check.LOG)
    return broken(
        Check.LOG,
        f"{store.path}-wal has {store.log_bytes // MIB} MiB: something reads the database without an end",
        f"end what has it open (fuser {store.path}), or: systemctl restart postbell",
    )


def _room(store: StoreSeen) -> Finding:
    wanted = max(store.body_total - store.bodies_bytes, 0)
    if store.free_bytes >= wanted:
        return fine(Check.ROOM)
    return broken(
        Check.ROOM,
        f"the disk of {store.path} has {store.free_bytes // MIB} MiB left, and body.total lets bodies grow by "
        f"{wanted // MIB} MiB more: full, it takes no mail",
        f"make room, or lower body.total to {(store.free_bytes + store.bodies_bytes) // 2 // MIB}M",
    )
