"""A restart says nothing anew: a device that resumes its session gets what came meanwhile, and no more."""

from __future__ import annotations

import signal

import pytest

from tests.conftest import need
from tests.support.system import Subscriber, System
from tests.support.waiting import until

ALICE = "alice@example.org"


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_a_plain_app_is_told_of_each_mail_once_over_a_restart(tmp_path, ending):
    """mosquitto_sub subscribes at each of its starts, so what is retained comes again, as such."""
    program = need("mosquitto_sub")
    with System(tmp_path) as system:
        login = system.add("alice")
        output = tmp_path / "heard"

        def app():
            options = ["-u", login["username"], "-P", login["password"], "-i", "app", "-c"]
            return Subscriber(
                program, port=system.mqtt_port(), filters=["mail/alice/#"], output=output, options=options
            )

        def new(device, name):
            return [payload for old, topic, payload in device.received() if not old and f"/{name}" in topic]

        def replayed(device):
            return [topic for old, topic, _ in device.received() if old and topic.endswith("/box")]

        def looked():
            return "reconciled" in (tmp_path / "serve.log").read_text().rpartition("ingress_listening")[2]

        def hear(serving, number):
            until(lambda: system.facts("bridge").get("pid") == serving.pid, what="the run file of this process")
            system.wait_connected()
            if number == 1:  # what a new user's topics begin with is not to come while the app is there
                until(looked, what="the first look")
                system.wait_drained()
            with app() as device:
                until(lambda: looked() and len(replayed(device)) == number, what="the app and the look")
                system.wait_drained()
                system.send(b"Subject: mail\r\n\r\nnumber %d\r\n" % number, ALICE)
                until(lambda: len(new(device, "text")) >= number, what="the mail")
                system.wait_drained()
                assert [text[-8:] for text in new(device, "text")] == [b"number %d" % n for n in range(1, number + 1)]
                assert len(new(device, "msg")) == number

        first = system.start("serve")
        hear(first, 1)
        system.stop(first, ending)
        hear(system.start("serve"), 2)
