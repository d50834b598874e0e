"""What an operator does while mail flows, each thing checked as it is done."""

from __future__ import annotations

import json
import shutil
import smtplib
import sqlite3
import ssl
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.archive import unpacking
from bridge.store import copies, database
from tests.soak.device import Device
from tests.support.certificates import self_signed
from tests.support.system import System
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.soak.sender import Sender

SCHEMAS = Path(__file__).resolve().parents[1] / "integration" / "schemas"


class Soaked(System):
    """A whole Postbell with certificates and a configuration file."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.file = directory / "postbell.toml"
        self.environment["POSTBELL_CONFIG"] = str(self.file)
        self.environment["POSTBELL_RETAIN__COUNT"] = "100"
        self.large = False
        self.certificate, self.key = self_signed(directory, "shown")
        self.configure()

    def configure(self) -> None:
        """Write the configuration, with a limit that differs from the last time."""
        self.large = not self.large
        tls = f'tls_cert = "{self.certificate}"\ntls_key = "{self.key}"\n'
        self.file.write_text(
            f'[smtp]\nmax_size = "{60 if self.large else 50} MiB"\n{tls}'
            f'[broker]\ntls_listen = "127.0.0.1:0"\n{tls}'
            f"[limits]\nclients = {900 if self.large else 800}\nmessages = {400_000 if self.large else 500_000}\n"
            '[body]\ntotal = "20 MiB"\n'
        )

    def port(self, listener: str = "mqtt") -> int:
        """Where the broker listens."""
        return int((self.facts("broker").get(listener) or ":0").rpartition(":")[2])


def renew_certificates(system: Soaked) -> None:
    """The files are replaced; soon bridge and broker show the new one, and nobody was cut off."""
    self_signed(system.directory, "shown")
    expected = ssl.PEM_cert_to_DER_cert(system.certificate.read_text())

    def shown_by_broker() -> bool:
        found = ssl.get_server_certificate(("127.0.0.1", system.port("mqtts")))
        return ssl.PEM_cert_to_DER_cert(found) == expected

    def shown_by_bridge() -> bool:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with system.smtp() as smtp:
            smtp.starttls(context=context)
            assert isinstance(smtp.sock, ssl.SSLSocket)
            return smtp.sock.getpeercert(binary_form=True) == expected

    until(shown_by_broker, what="the broker to show the new certificate")
    until(shown_by_bridge, what="the bridge to show the new certificate")


def reload(system: Soaked) -> None:
    """The configuration is changed and read again."""
    system.configure()
    said = json.loads(system.run("reload", "--json").stdout)
    assert said["changed"] == ["smtp.max_size", "limits.messages"], said
    assert said["broker"]["changed"] == ["limits.clients"], said


def back_up(system: Soaked, sender: Sender) -> None:
    """A backup under load has at least what was accepted before it began, and is sound."""
    before, file = sender.count, system.directory / "backup.tar"
    system.run("backup", "--overwrite", str(file))
    shutil.rmtree(system.directory / "fresh", ignore_errors=True)
    with file.open("rb") as stream:
        found = unpacking.unpack(stream, system.directory / "fresh")
    assert found.head.missing == ()
    assert before <= found.head.messages


def device_comes_and_goes(system: Soaked, user: str) -> None:
    """A device is added, gets the live set, and is revoked: then it is let in no more."""
    login = json.loads(system.run("device", "add", user, "guest", "--json").stdout)
    device = Device(user, "guest", login["password"], port=system.port)
    device.come()
    until(device.connected.is_set, what="the guest to be connected")
    until(device.subjects, what="the guest to be shown the live set")
    system.run("device", "revoke", user, "guest")
    until(lambda: not device.connected.is_set(), what="the guest to be thrown out")
    device.go()


def change_password(system: Soaked, device: Device) -> None:
    """A device gets a new password, and goes on with its session."""
    login = json.loads(system.run("device", "password", device.user, device.name, "--json").stdout)
    device.go()
    device.password = login["password"]
    device.come()
    until(device.connected.is_set, what="the device to be back with its new password")


def user_comes_and_goes(system: Soaked) -> None:
    """A user is added, gets mail, and is removed with all of it."""
    system.run("user", "add", "visitor", "--address", "visitor@example.org")
    system.send(b"Subject: welcome\r\n\r\nhello\r\n", "visitor@example.org")
    removed = json.loads(system.run("user", "remove", "visitor", "--yes", "--json").stdout)
    assert (removed["messages"], removed["staying"]) == (1, 0)


def migrate(system: Soaked) -> None:
    """A state of each older schema becomes one of this version, and its copy is kept."""
    for schema in sorted(SCHEMAS.glob("*.sql"))[:-1]:
        place = system.directory / "older"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        path = place / "postbell.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(schema.read_text())
        database.prepare(path, check=True)
        [copy] = copies.listed(path)
        assert copy.schema == int(schema.stem)


@contextmanager
def quiet(system: Soaked, sender: Sender) -> Iterator[None]:
    """Nobody sends, and all that was accepted is published."""
    sender.rest()
    system.wait_drained()
    yield
    sender.resume()


def restore(system: Soaked, sender: Sender, *, shown: Callable[[], None]) -> None:
    """All stops, the state is put aside, and a backup of it takes its place: nothing is lost, nothing shown anew."""
    with quiet(system, sender):
        shown()
        file = system.directory / "quiet.tar"
        system.run("backup", "--overwrite", str(file))
        serving = system.processes[-1]
        assert system.stop(serving) == 0
        told = json.loads(system.run("restore", "--force", str(file), "--json").stdout)
        shutil.rmtree(told["kept_as"])
        system.serve()
        until(lambda: system.port() and system.port("mqtts"), what="the broker to be back")
        with system.smtp() as smtp:
            assert isinstance(smtp, smtplib.SMTP)
