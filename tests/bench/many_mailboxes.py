"""Many mailboxes at one server: what they cost the bridge, and whether mail still comes in at once meanwhile.

    python -m tests.bench.many_mailboxes [MAILBOXES]

The server is that of the tests, on loopback, without TLS. A quarter of the mailboxes are at a server that says nothing.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

from bridge.bench import processor
from bridge.mailbox.account import MailAccount, Secret, SecretKind
from bridge.store import mailboxes, offline, people
from tests.support.imap_server import MailServer, serving
from tests.support.mailbox import letter
from tests.support.system import System
from tests.support.waiting import until


def serve_in_thread(server: MailServer) -> None:
    """It serves until this process ends."""

    async def run() -> None:
        async with serving(server):
            await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(run()), daemon=True).start()
    until(lambda: server.port, what="the server")


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def latencies(system: System, times: int) -> list[float]:
    """Milliseconds from MAIL FROM to 250."""
    found = []
    for number in range(times):
        begun = time.perf_counter()
        system.send(letter(number), "alice@example.org")
        found.append((time.perf_counter() - begun) * 1000)
    return found


def add(system: System, servers: list[MailServer], count: int) -> None:
    secret = system.directory / "password"
    secret.write_text("secret\n")
    database = system.state_dir / "postbell.db"
    with offline.transaction(database, now_ms=time.time_ns() // 10**6, count=100, days=7) as transaction:
        for number in range(count):
            user = f"user{number}"
            people.add_user(transaction, user, [f"{user}@example.org"])
            account = MailAccount(
                mailbox_id=0,
                user_id=0,
                user=user,
                host="127.0.0.1",
                port=servers[0 if number % 4 else 1].port,
                tls=False,
                login=user,
                secret=Secret(SecretKind.PASSWORD_FILE, str(secret)),
            )
            mailboxes.add(transaction, account, ["INBOX"])


def main(count: int) -> None:
    good, silent = MailServer(), MailServer(says=lambda _: None)
    for number in range(50):
        good.add(letter(number))
    serve_in_thread(good)
    serve_in_thread(silent)
    with tempfile.TemporaryDirectory() as directory, System(Path(directory)) as system:
        system.add("alice")
        bridge = system.serve()
        before, quiet = resident_mib(bridge.pid), latencies(system, 100)
        add(system, [good, silent], count)
        busy = latencies(system, 100)

        def states() -> list[str]:
            return [each["state"] for each in json.loads(system.run("mailbox", "list", "--json").stdout)]

        until(lambda: states().count("following") == count - (count + 3) // 4, what="the good ones to be followed")
        after = resident_mib(bridge.pid)
        used, begun = processor.used_s({bridge.pid}) or 0.0, time.monotonic()
        time.sleep(10)
        idle = ((processor.used_s({bridge.pid}) or 0.0) - used) / (time.monotonic() - begun) * 100
        later = latencies(system, 100)
    sys.stdout.write(
        f"{count} mailboxes, a quarter of them at a server that says nothing:\n"
        f"memory {before:.0f} MiB -> {after:.0f} MiB, idle {idle:.1f} % of a processor\n"
        f"a mail by SMTP, p50 / worst of 100: {median(quiet):.1f} / {max(quiet):.0f} ms without, "
        f"{median(busy):.1f} / {max(busy):.0f} ms while they connect, {median(later):.1f} / {max(later):.0f} ms then\n"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
