"""The checks by name, in the order of the walk. Pure. docs/troubleshooting.md explains each."""

from __future__ import annotations

from enum import StrEnum


class Check(StrEnum):
    """A question that has an answer. What stands before the dot is the hop that it belongs to."""

    CONFIGURATION = "configuration"

    OWNER = "user.owner"
    """Whoever asks may look at the state."""
    SERVICE_USER = "user.service"
    """The bridge runs as the user that owns the state."""

    CLOSED = "files.closed"
    """Nobody else can read the state."""
    OWNED = "files.owned"
    """Nothing in the state belongs to somebody else."""
    CONFIGURATION_FILE = "files.configuration"
    """The service can read its configuration, and nobody else can write it."""
    SECRETS = "files.secrets"
    """The service can read passwords and keys, and not everybody can."""
    RUN = "files.run"
    """The service can make its sockets where it should."""

    OPENS = "store.opens"
    SOUND = "store.sound"
    SCHEMA = "store.schema"
    WRITABLE = "store.writable"
    LOG = "store.log"
    """The write-ahead log is taken into the database from time to time."""
    ROOM = "store.room"
    """The disk has room for what the configuration lets pile up."""

    CLOCK_IDS = "clock.ids"
    """The clock is not behind the newest mail."""
    CLOCK_FILES = "clock.files"
    """The clock is not behind what was written last."""
    SYNCHRONISED = "clock.synchronised"

    BRIDGE = "service.bridge"
    BROKER = "service.broker"

    MTA_RECIPE = "mta.recipe"
    """The mail servers of this machine have the recipe, as it is for the users of now."""
    MTA_SOCKET = "mta.socket"
    """They may open the LMTP socket."""
    MTA_QUEUE = "mta.queue"
    """No mail for Postbell waits at them."""

    SMTP = "listener.smtp"
    SMTPS = "listener.smtps"
    LMTP = "listener.lmtp"
    MQTT = "listener.mqtt"
    MQTTS = "listener.mqtts"
    WEBSOCKET = "listener.websocket"
    SECURE_WEBSOCKET = "listener.secure_websocket"
    HTTP = "listener.http"

    CERTIFICATE_READABLE = "certificate.readable"
    CERTIFICATE_DATES = "certificate.dates"
    CERTIFICATE_KEY = "certificate.key"
    """The private key belongs to the certificate."""
    CERTIFICATE_NAMES = "certificate.names"
    """The certificate is for the host that devices are told."""
    CERTIFICATE_CHAIN = "certificate.chain"
    """The certificates between this one and an authority are there."""

    NAME_RESOLVES = "name.resolves"
    """The host that devices are told has an address."""
    NAME_PORT = "name.port"
    """Something answers at the port that devices are told."""

    REACHED = "broker.reached"
    VERSION = "broker.version"
    LOGIN = "broker.login"
    """The bridge is let in, and connected."""
    KEEPS = "broker.keeps"
    """Sessions and retained topics outlive the broker's process."""
    SAVES = "broker.saves"
    """They are on disk soon."""
    QUEUE = "broker.queue"
    """A device gets all that is live, and all that came while it was away."""
    SIZE = "broker.size"
    RULES = "broker.rules"
    """The broker's settings keep users apart."""
    RETAINED = "broker.retained"
    """The broker holds what it should, and nothing else."""
    MOVES = "broker.moves"
    """What waits for the broker goes out."""

    HANDED = "way.handed"
    """A mail that a mail server of this machine is given comes to Postbell."""
    ACCEPTED = "way.accepted"
    """A mail for a user is taken, and answered 250."""
    PUBLISHED = "way.published"
    """The broker acknowledges the mail's header."""
    DEVICE_LOGIN = "way.login"
    """A new device is let in."""
    TOLD = "way.told"
    """The device that subscribed hears of the mail."""
    SEEN = "way.seen"
    """What the device marks as seen goes away."""
    CLEARED = "way.cleared"
    """Nothing is left of the probe."""

    STRANGERS = "isolation.strangers"
    """Nobody is let in without a right password."""
    READ = "isolation.read"
    WRITE = "isolation.write"
    SESSION = "isolation.session"
    """Nobody gets another's session by its client id."""

    @property
    def hop(self) -> str:
        """The part of the way that it belongs to."""
        return self.partition(".")[0]
