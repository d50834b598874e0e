"""`docs/examples/pod.yaml` as processes: its commands, variables, programs and files, as the file has them.

Only places are others: directories for volumes, ports of this machine for the names of containers. What only a
container has is not shown: its network, its users, and volumes that several share.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from contextlib import ExitStack

import pytest
import yaml  # type: ignore[import-untyped]

from tests.conftest import need
from tests.support import mqtt_client as mqtt
from tests.support.mosquitto import USER
from tests.support.system import ROOT, System
from tests.support.waiting import free_port, listens, until

POD = ROOT / "docs/examples/pod.yaml"
WITHIN = "docker compose -f pod.yaml exec postbell "
STARTS = "docker compose -f pod.yaml up --detach"


def steps():
    """What is to be typed, one after the other."""
    head = POD.read_text().partition("x-cell:")[0].replace("\\\n#", "")
    return [line.removeprefix("#   ") for line in head.splitlines() if line.startswith("#   ")]


class Pod:
    """The pod on this machine."""

    def __init__(self, directory, stack):
        self.directory, self.stack = directory, stack
        self.services = yaml.safe_load(POD.read_text())["services"]
        self.front, self.ports = free_port(), {name: free_port() for name in ("postbell", "east", "west")}
        self.places = {
            "/var/lib/postbell": directory / "state",
            "/cells": directory / "cells",
            "/run/haproxy": directory / "admin",
        }
        for name in ("cells", "admin", "bin"):
            (directory / name).mkdir()
        self.system = stack.enter_context(System(directory, **self.environment("postbell")))
        program = directory / "bin" / "postbell"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m bridge "$@"\n')
        program.chmod(0o755)
        self.system.environment |= {
            "PYTHONPATH": str(ROOT),
            "PATH": f"{program.parent}:{self.system.environment['PATH']}",
        }
        self.running = set()

    def here(self, text):
        """A text of the file with this machine's places."""
        for name, port in self.ports.items():
            text = re.sub(rf"\b{name}:1883\b", f"127.0.0.1:{port}", text)
        text = text.replace('"*:1883"', f"127.0.0.1:{self.front}").replace("0.0.0.0:1883", self.at("postbell"))
        for there, place in self.places.items():
            text = text.replace(there, str(place))
        return text

    def at(self, name):
        return f"127.0.0.1:{self.ports[name]}"

    def environment(self, service):
        return {name: self.here(value) for name, value in self.services[service]["environment"].items()}

    def shell(self, command):
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.directory,
            env=self.system.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, (command, done.stderr)

    def take(self, step):
        """Do one step of those that the file names."""
        if step.startswith(STARTS):
            names = step.removeprefix(STARTS).split() or list(self.services)
            for name in names:
                if name not in self.running:
                    self.start(name)
            return
        self.shell(self.here(step.removeprefix(WITHIN)))

    def start(self, name):
        self.running.add(name)
        for needed in self.services[name].get("depends_on", ()):
            if needed not in self.running:
                self.start(needed)
        image = self.services[name]["image"].partition(":")[0]
        if image == "debian":
            made, *_ = self.services[name]["command"][-1].partition(" && chown")
            self.shell(self.here(made))
        elif image == "postbell":
            self.system.serve()
        elif image == "eclipse-mosquitto":
            configuration = self.mounted(name, "/mosquitto/config/mosquitto.conf")
            text = configuration.read_text()
            assert f"listener {self.ports[name]} 127.0.0.1" in text
            data = self.directory / name
            data.mkdir()
            configuration.write_text(f"{text}persistence_location {data}/\n{USER}\n")  # as /mosquitto/data of the image
            self.background(need("mosquitto"), "-c", str(configuration))
            until(lambda: listens(("127.0.0.1", self.ports[name])), what=f"{name} to listen")
        else:
            assert image == "haproxy"
            self.background(need("haproxy"), "-db", "-f", str(self.mounted(name, "/usr/local/etc/haproxy/haproxy.cfg")))
            until(lambda: listens(("127.0.0.1", self.front)), what="HAProxy to listen")

    def mounted(self, name, place):
        """The file that a container has in that place."""
        [source] = [each.split(":")[0] for each in self.services[name]["volumes"] if each.split(":")[1] == place]
        return self.directory / source

    def background(self, *command):
        process = subprocess.Popen(command, cwd=self.directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.stack.callback(self.system.stop, process)


@pytest.fixture
def pod(tmp_path):
    with ExitStack() as stack:
        yield Pod(tmp_path, stack)


def test_the_pod_is_what_its_file_says(pod):
    for step in steps():
        pod.take(step)
    until(lambda: pod.system.facts("bridge").get("cells") == {"east": True, "west": True}, what="both cells")
    logins = {user: pod.system.add(user) for user in ("alice", "bob")}
    ids = {user: pod.system.send(f"Subject: for {user}\n\nx\n".encode(), f"{user}@example.org") for user in logins}
    for user, login in logins.items():
        with mqtt.Raw(("127.0.0.1", pod.front)) as phone:
            phone.send(mqtt.connect(f"{user}:phone", username=login["username"], password=login["password"]))
            assert phone.expect(mqtt.CONNACK).body[1] == 0
            phone.send(mqtt.subscribe((f"mail/{user}/msg/+", 1)))
            phone.expect(mqtt.SUBACK)
            assert phone.expect(mqtt.PUBLISH, 60).topic == f"mail/{user}/msg/{ids[user]}"
    assert login["mqtt_url"] == pod.services["postbell"]["environment"]["POSTBELL_BROKER__PUBLIC_URL"]


def test_every_program_that_the_file_names_is_used():
    assert shutil.which("haproxy"), "needs haproxy"
    images = {service["image"].partition(":")[0] for service in yaml.safe_load(POD.read_text())["services"].values()}
    assert images == {"debian", "postbell", "eclipse-mosquitto", "haproxy"}
