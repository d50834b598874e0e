"""`--notify`: a session bus with a program that shows notifications, one without, and none."""

from __future__ import annotations

import subprocess
import threading

import pytest
from jeepney import MatchRule, message_bus
from jeepney.io.blocking import Proxy, open_dbus_connection

from clients.terminal.desktop import NoDesktopError, SessionBusDesktop
from tests.conftest import need


@pytest.fixture
def bus(monkeypatch):
    command = [need("dbus-daemon"), "--session", "--nofork", "--print-address", "--nopidfile"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", daemon.stdout.readline().strip())
        try:
            yield
        finally:
            daemon.terminate()


@pytest.mark.usefixtures("bus")
def test_a_mail_is_told_and_nothing_in_it_is_markup():
    shower = open_dbus_connection(bus="SESSION")
    assert Proxy(message_bus, shower).RequestName("org.freedesktop.Notifications", 4) == (1,)
    told, rule = [], MatchRule(type="method_call", member="Notify")
    with shower.filter(rule) as queue:
        listening = threading.Thread(target=lambda: told.append(shower.recv_until_filtered(queue, timeout=30).body))
        listening.start()
        SessionBusDesktop().notify("Ada", "<b>[/nope]</b> & <img src='x'>")
        listening.join(30)
    [(program, replaces, _icon, title, body, actions, hints, _)] = told
    assert (program, replaces, title, actions) == ("Postbell", 0, "Ada", [])
    assert body == "&lt;b&gt;[/nope]&lt;/b&gt; &amp; &lt;img src='x'&gt;"
    assert hints == {"category": ("s", "email.arrived")}
    shower.close()


@pytest.mark.usefixtures("bus")
def test_a_session_whose_programs_show_none_is_no_desktop():
    with pytest.raises(NoDesktopError, match="no program of this session shows notifications"):
        SessionBusDesktop()


@pytest.mark.parametrize("address", [None, "unix:path=/nonexistent", "nonsense"])
def test_without_a_session_bus_that_is_said_in_plain_words(monkeypatch, tmp_path, address):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    if address is None:
        monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    else:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    with pytest.raises(NoDesktopError, match="there is no session bus"):
        SessionBusDesktop()
