"""README.md's server, beside Postfix: from nothing to a device that is told over TLS, by each way to install."""

from __future__ import annotations

import re
import subprocess

from tests.conftest import need
from tests.install.recipes import blocks, commands, filled

SECTION = "## Install on a server"
BESIDE_A_MAIL_SERVER = """state_dir = "/var/lib/postbell"

[lmtp]
listen = "unix:/run/postbell/lmtp.sock"

"""
CONFIGURES = "sudo postbell init "
"""How the first line begins that is the same for all ways to install."""


def readme():
    """The lines of the README: those that install, and those that do the rest."""
    lines = [filled(line, source="/srv/postbell") for line in commands("README.md", SECTION)]
    lines += commands("README.md", "## Connect Postfix") + commands("README.md", "## Pair a device")
    [first] = [number for number, line in enumerate(lines) if line.startswith(CONFIGURES)]
    return lines[:first], lines[first:]


def configured(server):
    """Do what comes after an installation, line by line; what the last line, `device add`, printed."""
    *before, pairing = readme()[1]
    server.typed(before)
    return server.typed([pairing])


def test_the_package(server):
    server.typed(readme()[0])
    server.keep()
    assert server.active("postbell.service") == ["inactive"], "it runs without a configuration"
    device = server.watching(configured(server), "mail/alice/text")

    server.send("first")
    server.told(device, "first")
    server.delivered("first")
    stays_confined(server)
    comes_back(server)
    stops_and_starts(server, device)
    runs_apart(server, device)
    has_a_page_and_completion(server)
    is_a_good_package(server)
    is_upgraded(server, device)
    is_removed(server)


def stays_confined(server):
    said = server.root("systemd-analyze security --no-pager postbell.service | tail -n 1")
    exposure = re.search(r"service: ([0-9.]+)", said)
    assert exposure is not None
    assert float(exposure[1]) < 2.0
    units = "postbell.service postbell.socket postbell-bridge.service postbell-bridge.socket postbell-broker.service"
    assert server.root(f"systemd-analyze verify {units}") == ""
    assert server.root("stat -c '%U:%G %a' /run/postbell/lmtp.sock") == "postbell:postfix 660"
    assert server.root("stat -c '%U:%G %a' /etc/postbell/tls /var/lib/postbell").split("\n") == [
        "root:postbell 750",
        "postbell:postbell 700",
    ]
    owners = server.root("find /var/lib/postbell ! -user postbell ! -type l")
    assert owners == "", "something there is not Postbell's"


def comes_back(server):
    """A process that hangs is ended by the watchdog and started again."""
    folder = "/etc/systemd/system/postbell.service.d"
    server.machine.write(f"{folder}/soon.conf", "[Service]\nWatchdogSec=2\nTimeoutAbortSec=1\n")
    server.root("systemctl daemon-reload && systemctl restart postbell")
    before = server.root("systemctl show -P MainPID postbell")
    server.root(f"kill -STOP {before}")
    server.root(f"timeout 60 sh -c 'while [ $(systemctl show -P MainPID postbell) = {before} ]; do sleep 0.2; done'")
    assert "watchdog" in server.root("journalctl --no-pager -u postbell").lower()
    server.root(f"rm -r {folder} && systemctl daemon-reload && systemctl restart postbell")
    assert server.active("postbell.service", "postbell.socket") == ["active", "active"]


def stops_and_starts(server, device):
    """What was stopped stays so whatever mail comes, and the socket survives a new start."""
    server.root("systemctl stop postbell")
    server.send("second")
    server.delivered("second")
    assert server.active("postbell.service", "postbell.socket") == ["inactive", "inactive"]
    server.root("systemctl start postbell")
    server.root("postqueue -f")
    server.told(device, "second")
    socket = server.root("stat -c %i /run/postbell/lmtp.sock")
    server.root("systemctl restart postbell")
    assert server.root("stat -c %i /run/postbell/lmtp.sock") == socket


def runs_apart(server, device):
    """Bridge and broker as services of their own, each started anew without the other, and back again."""
    server.typed(commands("docs/install.md", "### Bridge and broker apart"))
    apart = ["postbell-broker.service", "postbell-bridge.service", "postbell-bridge.socket"]
    assert server.active(*apart, "postbell.service", "postbell.socket") == ["active"] * 3 + ["inactive"] * 2
    broker = server.root("systemctl show -P MainPID postbell-broker")
    server.send("apart")
    server.told(device, "apart")
    server.root("systemctl restart postbell-bridge")
    server.send("still apart")
    server.told(device, "still apart")
    assert server.root("systemctl show -P MainPID postbell-broker") == broker
    server.root(f"systemctl disable --now {' '.join(apart)}")
    server.root("systemctl enable --now postbell.service postbell.socket")
    assert server.active("postbell.service", *apart) == ["active"] + ["inactive"] * 3


def has_a_page_and_completion(server):
    assert "postbell device add" in server.root("man postbell | col -b")
    script = "/usr/share/bash-completion/completions/postbell"
    completed = f"source {script}; COMP_WORDS=(postbell dev); COMP_CWORD=1; _postbell 2>&-; echo ${{COMPREPLY[0]}}"
    assert server.typed([f"bash -c '{completed}'"]).strip() == "device"


def is_a_good_package(server):
    found = subprocess.run([need("lintian"), server.kept], capture_output=True, text=True, check=False)
    assert [line for line in found.stdout.splitlines() if line.startswith(("E:", "W:"))] == []


def is_upgraded(server, device):
    """A newer package starts Postbell anew and keeps all that is there."""
    before = server.root("systemctl show -P MainPID postbell")
    server.root(
        "cd /root && dpkg-deb -R /home/op/postbell/dist/postbell_*.deb next"
        " && sed -i 's/^Version: .*/&.1/' next/DEBIAN/control && dpkg-deb -Znone -b next next.deb"
    )
    configuration = server.root("cat /etc/postbell/postbell.toml")
    server.typed(["sudo apt-get install -q -y /root/next.deb"])
    assert server.root("systemctl show -P MainPID postbell") not in {before, "0"}
    assert server.root("cat /etc/postbell/postbell.toml") == configuration
    server.send("third")
    server.told(device, "third")


def is_removed(server):
    """Without a purge what is kept stays; with it, nothing does."""
    server.typed(["sudo apt-get remove -q -y postbell"])
    assert server.root("ls /var/lib/postbell/postbell.db /etc/postbell/postbell.toml").count("\n") == 1
    assert server.active("postbell.service", "postbell.socket") == ["inactive", "inactive"]
    server.typed(["sudo apt-get purge -q -y postbell"])
    left = server.root(
        "find / -xdev -name '*postbell*' ! -path '/proc/*' ! -path '/home/*' ! -path '/srv/*' ! -path '/root/*'"
        " ! -path '/etc/postfix/*' ! -path '/var/spool/postfix/*' ! -path '/var/cache/*' ! -path '/run/log/*'"
        " ! -path '/tmp/*';"
        " getent passwd postbell",
        check=False,
    )
    assert left == ""


def test_the_clone(server):
    server.typed(filled(line, source="/srv/postbell") for line in commands("docs/install.md", "## The clone"))
    device = server.watching(configured(server), "mail/alice/text")
    server.send("first")
    server.told(device, "first")
    assert "mypy" not in server.root("ls /opt/postbell/.venv/bin")
    server.typed(commands_of_uninstalling())
    assert server.root("ls /etc/systemd/system | grep postbell; getent passwd postbell", check=False) == ""


def commands_of_uninstalling():
    return commands("docs/install.md", "## Uninstall")


def test_pipx(server):
    server.typed(filled(line, source="/srv/postbell") for line in commands("docs/install.md", "## pipx or uv"))
    device = server.watching(configured(server), "mail/alice/text")
    server.send("first")
    server.told(device, "first")
    assert server.typed(["command -v postbell"]) == "/usr/local/bin/postbell\n"


def test_mosquitto_is_the_broker(server):
    """docs/brokers/mosquitto.md, on a server where Postbell has users already."""
    server.installed(readme()[0])
    section = "## Set it up"
    [toml] = [block.text for block in blocks("docs/brokers/mosquitto.md", section) if block.language == "toml"]
    server.machine.write("/etc/postbell/postbell.toml", BESIDE_A_MAIL_SERVER + toml)
    server.typed(["sudo -u postbell postbell user add alice --address alice@example.org"])
    server.typed(commands("docs/brokers/mosquitto.md", section))
    server.typed(["sudo systemctl enable --now postbell", *commands("README.md", "## Connect Postfix")])
    device = server.watching(server.typed(commands("README.md", "## Pair a device")), "mail/alice/text")
    server.send("first")
    server.told(device, "first")
    assert server.active("postbell.service", "mosquitto.service") == ["active", "active"]
    assert '"embedded": false' in server.typed(["sudo -u postbell postbell status --json"])
    later = server.watching(server.typed(["sudo -u postbell postbell device add alice later"]), "mail/alice/text")
    server.told(later, "first")
    server.typed(["sudo -u postbell postbell device revoke alice later"])
    server.send("second")
    server.told(device, "second")
    assert "second" not in later.read_text()
