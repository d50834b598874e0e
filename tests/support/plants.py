"""What does not belong where it is planted: a file each, the lines, and what must be said of them.

All are planted at once, each in a file of its own, so what is said of one file is said of one plant.
What is said is the end of a line of import-linter that begins with the module: `names what`, or a layer's arrow.
"""

from __future__ import annotations

from typing import NamedTuple


class Plant(NamedTuple):
    """Lines at the end of a file; `only_types` puts them under TYPE_CHECKING."""

    file: str
    lines: str
    said: str
    only_types: bool = False

    @property
    def module(self) -> str:
        """The file as a module."""
        return self.file.removesuffix(".py").replace("/", ".")

    @property
    def text(self) -> str:
        """What is planted."""
        if self.only_types:
            return f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    {self.lines}\n"
        return f"{self.lines}\n"


PLANTS = (
    # another module's sockets, clock, disk
    Plant("bridge/mail/text.py", "import socket", "names socket", only_types=True),
    Plant("bridge/mail/mime.py", "def f():\n    import time\n    return time.time()", "names time"),
    Plant("bridge/contract/ids.py", "import uuid\nX = uuid.uuid4()", "names uuid"),
    Plant("bridge/contract/views.py", "import random\nX = random.random()", "names random"),
    Plant("bridge/contract/topics.py", "import secrets\nX = secrets.token_hex()", "names secrets"),
    Plant("bridge/rules/rate.py", "import time", "names time", only_types=True),
    Plant("bridge/directory.py", "def f():\n    import asyncio\n    return asyncio.to_thread(f)", "names asyncio"),
    Plant("bridge/model.py", "from email.message import EmailMessage", "names email.message.EmailMessage"),
    Plant("bridge/kept.py", "import logging", "names logging"),
    Plant("bridge/setup/recipe.py", "import socket", "names socket"),
    Plant("bridge/config/endpoints.py", "import socket", "names socket"),
    Plant("bridge/config/permissions.py", "import time", "names time"),
    Plant("bridge/ingress/trust.py", "import socket", "names socket"),
    Plant("bridge/ingress/addresses.py", "import time", "names time"),
    Plant("bridge/store/desired.py", "import time", "names time"),
    Plant("broker/acl.py", "def f():\n    import time\n    return time.time()", "names time"),
    Plant("broker/delivery.py", "import asyncio\nX = asyncio.Event()", "names asyncio"),
    Plant("broker/wire/frames.py", "import threading\nX = threading.Lock()", "names threading"),
    Plant("clients/seen.py", "import random\nX = random.random()", "names random"),
    Plant("clients/backoff.py", "import secrets\nX = secrets.randbelow(3)", "names secrets"),
    Plant("clients/download.py", "import os\nX = os.open('x', 0)", "names os"),
    Plant("clients/terminal/screen.py", "import time", "names time"),
    # what stands behind a module that may be imported
    Plant("bridge/mail/dates.py", "from datetime import datetime\nX = datetime.now()", "names ….now"),
    Plant("bridge/mail/snippet.py", "import datetime as dt\nX = dt.datetime.now(tz=dt.UTC)", "names ….now"),
    Plant("bridge/rules/span.py", "from datetime import datetime\nX = datetime.utcnow()", "names ….utcnow"),
    Plant(
        "bridge/rules/pattern.py",
        "from datetime import datetime\nX = datetime.fromtimestamp.__self__.now",
        "names ….__self__",
    ),
    Plant("clients/contract/ids.py", "from datetime import datetime as moment\nX = moment.now()", "names ….now"),
    Plant(
        "clients/contract/header.py",
        "import datetime\nclock = datetime.datetime\nX = clock.now(datetime.UTC)",
        "names ….now",
    ),
    Plant("bridge/mail/charsets.py", "import codecs\nX = codecs.builtins.open('x')", "names codecs.builtins.open()"),
    Plant("bridge/mail/words.py", "import codecs\nX = codecs.open('x')", "names codecs.open()"),
    Plant("bridge/mail/flags.py", "from email import utils\nX = utils.localtime()", "names email.utils.localtime()"),
    Plant(
        "bridge/mail/mailbox.py",
        "from email.utils import make_msgid\nX = make_msgid()",
        "names email.utils.make_msgid()",
    ),
    Plant("bridge/mail/codes.py", "from contextlib import os\nX = os.open('x', 0)", "names contextlib.os.open()"),
    Plant(
        "bridge/mail/markup.py",
        "from zoneinfo import ZoneInfo\nX = ZoneInfo('Europe/Berlin')",
        "names zoneinfo.ZoneInfo()",
    ),
    Plant("bridge/mail/digest.py", "import mmap\nX = mmap.mmap(0, 10)", "names mmap.mmap()"),
    Plant("bridge/contract/header.py", "from urllib import request\nX = request.urlopen('x')", "names urllib.request"),
    Plant(
        "bridge/contract/packing.py",
        "from urllib.robotparser import RobotFileParser\nX = RobotFileParser('http://x').read()",
        "names urllib.robotparser.RobotFileParser",
    ),
    Plant("clients/endpoint.py", "from urllib.request import urlopen", "names urllib.request.urlopen"),
    Plant("broker/pace.py", "from dataclasses import sys\nX = sys.modules['time']", "names dataclasses.sys.modules"),
    Plant("broker/admission.py", "from typing import sys\nX = sys.modules['os']", "names typing.sys.modules"),
    Plant("bridge/setup/nats.py", "from json import tool\nX = tool.main()", "names json.tool.main()"),
    Plant("clients/box/inbox.py", "from json import tool\nX = tool.main()", "names json.tool.main()"),
    Plant("clients/errors.py", "from functools import RLock\nX = RLock()", "names functools.RLock()"),
    Plant("broker/wire/codec.py", "from amqtt.client import MQTTClient", "names amqtt.client.MQTTClient"),
    Plant("bridge/intake.py", "X = asyncio.open_connection('x', 25)", "names asyncio.open_connection()"),
    Plant("bridge/publish/replay.py", "X = asyncio.get_running_loop().time()", "names ….time"),
    Plant(
        "bridge/publish/outbox.py",
        "X = asyncio.create_subprocess_exec('ls')",
        "names asyncio.create_subprocess_exec()",
    ),
    Plant("bridge/reconcile.py", "import dataclasses\nX = dataclasses", "names dataclasses"),
    # what Python gives unasked
    Plant("bridge/mail/boilerplate.py", "X = open('/etc/passwd', encoding='utf-8')", "names open()"),
    Plant("bridge/mail/fields.py", "X = __builtins__['open']('x')", "names __builtins__"),
    Plant("broker/retained.py", "X = open('x', encoding='utf-8')", "names open()"),
    Plant("clients/contract/digest.py", "X = exec('import socket')", "names exec()"),
    Plant("clients/contract/topics.py", "X = input()", "names input()"),
    Plant("clients/contract/elements.py", "print('x')\nX = breakpoint", "names print()"),
    # an import by a text that is a name, anywhere
    Plant(
        "bridge/mail/invitation.py",
        "import importlib\nX = importlib.import_module('socket')",
        "names importlib.import_module",
    ),
    Plant("bridge/mail/params.py", "X = __import__('os').getcwd()", "names __import__"),
    Plant("broker/subscriptions.py", "X = __import__('socket')", "names __import__"),
    Plant(
        "broker/statistics.py",
        "import importlib\nX = importlib.import_module('time')",
        "names importlib.import_module",
    ),
    Plant("broker/auth.py", "X = __import__('bridge.store.logins')", "names __import__"),
    Plant("bridge/daemon/clock.py", "import sys\nX = sys.modules['broker']", "names sys.modules"),
    Plant(
        "clients/journal/snapshot.py",
        "X = __import__('importlib').import_module('bridge.contract.header')",
        "names __import__",
    ),
    # up, across, into the next room
    Plant("bridge/graphemes.py", "def f():\n    from bridge.mail import text\n    return text", "-> bridge.mail.text"),
    Plant("bridge/errors.py", "from bridge.daemon.app import Bridge", "-> bridge.daemon.app", only_types=True),
    Plant("bridge/requests/requests.py", "from bridge.config import settings", "names bridge.config.settings"),
    Plant("bridge/publish/link.py", "from bridge.store import marks", "-> bridge.store.marks"),
    Plant("bridge/spool.py", "from bridge.ingress import trust", "-> bridge.ingress.trust"),
    Plant("broker/topics.py", "from broker.handler import DeviceHandler", "-> broker.handler", only_types=True),
    Plant("broker/session.py", "def f():\n    from broker.router import Router\n    return Router", "-> broker.router"),
    Plant("broker/settings.py", "from clients.contract import topics", "-> clients.contract.topics"),
    Plant(
        "clients/box/memory.py",
        "def f():\n    from clients.terminal import screen\n    return screen",
        "-> clients.terminal.screen",
    ),
    Plant("clients/journal/records.py", "from bridge.model import User", "-> bridge.model", only_types=True),
    Plant("bridge/rules/alert.py", "from bridge.mail import headers", "-> bridge.mail.headers"),
    Plant("bridge/mail/snippet.py", "from bridge.store import database", "names bridge.store.database"),
    Plant("bridge/mail/text.py", "from bridge.contract import ids", "-> bridge.contract.ids"),
    Plant("bridge/model.py", "from bridge.errors import PostbellError", "-> bridge.errors"),
    Plant("bridge/intake.py", "import sqlite3", "names sqlite3"),
    Plant("bridge/intake.py", "from bridge.requests.requests import Requests", "-> bridge.requests.requests"),
    Plant("bridge/publish/outbox.py", "import paho.mqtt.client", "names paho.mqtt.client"),
    Plant("bridge/config/settings.py", "from bridge.daemon import logs", "-> bridge.daemon.logs"),
    Plant("bridge/store/store.py", "from bridge.ingress import server", "-> bridge.ingress.server"),
    Plant("bridge/ingress/server.py", "from bridge.daemon import app", "-> bridge.daemon.app"),
    Plant("bridge/setup/postfix.py", "from bridge.cli import setup", "-> bridge.cli.setup"),
    Plant("bridge/contract/topics.py", "from broker import topics", "-> broker.topics"),
    Plant("broker/acl.py", "from broker import server", "-> broker.server"),
    Plant("broker/router.py", "from broker import app", "-> broker.app"),
    Plant("broker/auth.py", "from bridge.store import logins", "-> bridge.store.logins"),
    Plant("clients/box/inbox.py", "from clients import session", "-> clients.session"),
    Plant("clients/session.py", "from clients.terminal import screen", "-> clients.terminal.screen"),
    Plant("clients/contract/digest.py", "from bridge.contract import header", "-> bridge.contract.header"),
)  # fmt: skip
