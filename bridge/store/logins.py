"""Logins beside the devices': senders over SMTP AUTH, administrators and the bridge over MQTT.

All passwords are generated and have 160 random bits, which no dictionary reaches: one round of
SHA-256 over a salt is enough, and a storm of logins stays cheap. What mosquitto and NATS have to
know of a password is worked out while it is there (verifiers.py), so that their files can be written
at any time, and a move to them needs no new passwords.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

from bridge.cells import MAIN
from bridge.contract import topics
from bridge.errors import MalformedNameError, PostbellError
from bridge.kept import MqttLogin
from bridge.store import verifiers
from bridge.store.placing import OF_USER, any_others

if TYPE_CHECKING:
    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction


PASSWORD_BYTES, SALT_BYTES, DIGEST_BYTES = 20, 16, 32
FORMER = 8
"""How many replaced passwords are known by their hashes, for the sessions that they opened."""


PUT = f"""
INSERT INTO login (username, label, role, salt, hash, former, pbkdf2, bcrypt, cell)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, coalesce(({OF_USER}), 0))
ON CONFLICT (username, label) DO UPDATE SET role = excluded.role, salt = excluded.salt, hash = excluded.hash,
    former = excluded.former, pbkdf2 = excluded.pbkdf2, bcrypt = excluded.bcrypt, cell = excluded.cell
"""  # noqa: S608 - ours
AT_CELL = """
SELECT l.username, l.role, coalesce(l.pbkdf2, ''), coalesce(l.bcrypt, '')
FROM login l LEFT JOIN user u ON l.role = 'device' AND u.name = substr(l.username, 1, instr(l.username || '.', '.') - 1)
WHERE l.label <> 'local' AND (l.role = 'admin' OR (l.role = 'bridge' AND :bridges = 1)
    OR (l.role = 'device' AND (l.cell = :cell OR u.cell = :cell)))
ORDER BY l.username, l.pbkdf2 IS NOT NULL
"""


class LoginError(PostbellError):
    """A login that is there already, or is not there."""


def grant(transaction: Transaction, username: str, *, label: str, role: str) -> str:
    """A new password for an MQTT login, replacing the one with the same label and its sessions."""
    password = generate()
    _put(transaction, username, password, label=label, role=role)
    return password


def replace(transaction: Transaction, username: str, *, label: str, role: str) -> str:
    """A new password in the place of the old, which ends connections but no session; raises LoginError."""
    row = transaction.connection.execute(
        "SELECT former, hash FROM login WHERE username = ? AND label = ? AND role = ?", (username, label, role)
    ).fetchone()
    if row is None:
        raise LoginError(f"there is no login {username!r}")
    password = generate()
    former = b"".join(row)[-FORMER * DIGEST_BYTES :] if len(row[1]) == DIGEST_BYTES else row[0]
    _put(transaction, username, password, label=label, role=role, former=former)
    return password


def admit(transaction: Transaction, username: str, password: str, *, label: str, role: str) -> None:
    """Have a generated password open an MQTT login, as the one with its label.

    A row that it opens already stays as it is: the broker would end the sessions of a new one.
    """
    connection = transaction.connection
    row = connection.execute(
        "SELECT salt, hash, pbkdf2 FROM login WHERE username = ? AND label = ?", (username, label)
    ).fetchone()
    if row is None or not row[2] or not hmac.compare_digest(_digest(row[0] or b"", password), row[1]):
        _put(transaction, username, password, label=label, role=role)


def grant_bridge(transaction: Transaction, username: str, *, node: str) -> str:
    """A new password for the bridge of a node; what let that node in under another name goes."""
    _forget_other_names(transaction, username, node)
    return grant(transaction, username, label=node, role="bridge")


def admit_bridge(transaction: Transaction, username: str, password: str, *, node: str) -> None:
    """Have a password that stands in a file open the login of a node's bridge."""
    _forget_other_names(transaction, username, node)
    admit(transaction, username, password, label=node, role="bridge")


def add_node(transaction: Transaction, node: str) -> tuple[str, str]:
    """Let the bridge of another node in at this broker; its login and password."""
    if not topics.valid_name(node):
        raise MalformedNameError(
            f"{node!r} cannot be a node: use 1 to 32 of a-z 0-9 _ - and begin with a letter or digit"
        )
    if node in list_nodes(transaction.connection):
        raise LoginError(f"there is a node {node!r} already")
    username = topics.bridge_login(node)
    return username, grant_bridge(transaction, username, node=node)


def renew_node(transaction: Transaction, node: str) -> tuple[str, str]:
    """A new password for a node's bridge, whose session goes on; its login and password."""
    row = transaction.connection.execute(
        "SELECT username FROM login WHERE role = 'bridge' AND label = ?", (node,)
    ).fetchone()
    if row is None:
        raise LoginError(f"there is no node {node!r}")
    return row[0], replace(transaction, row[0], label=node, role="bridge")


def remove_node(transaction: Transaction, node: str) -> None:
    """Take the login of a node's bridge away."""
    cursor = transaction.connection.execute("DELETE FROM login WHERE label = ? AND role = 'bridge'", (node,))
    if not cursor.rowcount:
        raise LoginError(f"there is no node {node!r}")


def list_nodes(connection: StoreConnection) -> list[str]:
    """The nodes whose bridges may log in, by name."""
    return [row[0] for row in connection.execute("SELECT label FROM login WHERE role = 'bridge' ORDER BY label")]


def add_admin(transaction: Transaction, name: str) -> str:
    """An MQTT login that reads all mail topics and $SYS and writes nothing; its password."""
    if not topics.valid_name(name) or name == "bridge" or name.startswith("bridge-"):
        raise MalformedNameError(f"{name!r} cannot be an administrator's login")
    if transaction.connection.execute("SELECT 1 FROM login WHERE username = ?", (name,)).fetchone():
        raise LoginError(f"there is a login {name!r} already")
    return grant(transaction, name, label="admin", role="admin")


def renew_admin(transaction: Transaction, name: str) -> str:
    """A new password for an administrator's login."""
    if name not in list_admins(transaction.connection):
        raise LoginError(f"there is no administrator {name!r}")
    return replace(transaction, name, label="admin", role="admin")


def remove_admin(transaction: Transaction, name: str) -> None:
    """Take an administrator's login away."""
    cursor = transaction.connection.execute("DELETE FROM login WHERE username = ? AND role = 'admin'", (name,))
    if not cursor.rowcount:
        raise LoginError(f"there is no administrator {name!r}")


def list_admins(connection: StoreConnection) -> list[str]:
    """The administrators' logins by name."""
    return [row[0] for row in connection.execute("SELECT username FROM login WHERE role = 'admin' ORDER BY username")]


def add_sender(transaction: Transaction, name: str) -> str:
    """A sender that may hand in mail over TLS from anywhere; its password."""
    if not topics.valid_name(name):
        raise MalformedNameError(f"{name!r} cannot be a sender: use 1 to 32 of a-z 0-9 _ -")
    if transaction.connection.execute("SELECT 1 FROM sender WHERE name = ?", (name,)).fetchone():
        raise LoginError(f"there is a sender {name!r} already")
    password, salt = generate(), secrets.token_bytes(SALT_BYTES)
    row = (name, salt, _digest(salt, password), transaction.now_ms)
    transaction.connection.execute("INSERT INTO sender VALUES (?, ?, ?, ?)", row)
    return password


def renew_sender(transaction: Transaction, name: str) -> str:
    """A new password for a sender; the old one opens nothing any more."""
    password, salt = generate(), secrets.token_bytes(SALT_BYTES)
    cursor = transaction.connection.execute(
        "UPDATE sender SET salt = ?, hash = ? WHERE name = ?", (salt, _digest(salt, password), name)
    )
    if not cursor.rowcount:
        raise LoginError(f"there is no sender {name!r}")
    return password


def remove_sender(transaction: Transaction, name: str) -> None:
    """Take a sender's login away."""
    if not transaction.connection.execute("DELETE FROM sender WHERE name = ?", (name,)).rowcount:
        raise LoginError(f"there is no sender {name!r}")


def list_senders(connection: StoreConnection) -> list[str]:
    """The senders by name."""
    return [row[0] for row in connection.execute("SELECT name FROM sender ORDER BY name")]


def check_sender(connection: StoreConnection, name: str, password: str) -> bool:
    """Whether this is a sender's password; takes the same time whether the name is known or not."""
    row = connection.execute("SELECT salt, hash FROM sender WHERE name = ?", (name,)).fetchone()
    salt, expected = row or (b"", bytes(32))
    return hmac.compare_digest(_digest(salt, password), expected)


def revision(connection: StoreConnection) -> int:
    """A number that grows whenever a login changes, in whichever process."""
    value: int = connection.execute("SELECT value FROM revision WHERE name = 'logins'").fetchone()[0]
    return value


def list_all(connection: StoreConnection) -> list[MqttLogin]:
    """Every MQTT login by name, once each, as other brokers need it.

    Those know one password for each login: that of the device. What `watch` uses on this machine is left out.
    """
    rows = connection.execute(
        "SELECT username, role, coalesce(pbkdf2, ''), coalesce(bcrypt, '') FROM login WHERE label <> 'local'"
        " ORDER BY username, pbkdf2 IS NOT NULL"
    )
    return list({row[0]: MqttLogin(*row) for row in rows}.values())


def list_at(connection: StoreConnection, cell: int, *, bridges: bool = False) -> list[MqttLogin]:
    """The same for the broker of one cell: its users' devices and administrators; at the first all `bridges`, too.

    A device that moves is known at both cells until the new one is ready.
    """
    rows = connection.execute(AT_CELL, {"cell": cell, "bridges": int(bridges or cell == MAIN)})
    return list({row[0]: MqttLogin(*row) for row in rows}.values())


def list_first(connection: StoreConnection) -> list[MqttLogin]:
    """The same for the first broker, whether there are others or not."""
    return list_at(connection, MAIN) if any_others(connection) else list_all(connection)


def verified(username: str, password: str, *, role: str) -> MqttLogin:
    """A login with what other brokers have to know of its password."""
    return MqttLogin(username, role, verifiers.pbkdf2(password), verifiers.bcrypted(password))


def generate() -> str:
    """A password of 160 random bits."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def _forget_other_names(transaction: Transaction, username: str, node: str) -> None:
    transaction.connection.execute(
        "DELETE FROM login WHERE role = 'bridge' AND label = ? AND username <> ?", (node, username)
    )


def _put(transaction: Transaction, username: str, password: str, *, label: str, role: str, former: bytes = b"") -> None:
    salt = secrets.token_bytes(SALT_BYTES)
    transaction.connection.execute(
        PUT,
        (
            *(username, label, role, salt, _digest(salt, password), former),
            *(verifiers.pbkdf2(password), verifiers.bcrypted(password)),
            username.partition(".")[0] if role == "device" else "",
        ),
    )


def _digest(salt: bytes, password: str) -> bytes:
    return hashlib.sha256(salt + password.encode(errors="surrogateescape")).digest()
