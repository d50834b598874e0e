"""What the bridge says to its web server comes out as it went in."""

from __future__ import annotations

import json
from ipaddress import ip_network

from bridge.http import channel
from bridge.http.channel import WebSettings
from bridge.http.upstream import Upstream


def test_settings_are_read_as_they_were_written():
    settings = WebSettings(
        upstream=Upstream(host="mqtt.example.org", port=8883, encrypted=True, ca_file="/etc/ca.pem"),
        networks=(ip_network("127.0.0.0/8"), ip_network("::1/128")),
        proxies=(ip_network("10.0.0.0/8"),),
        origin="https://mail.example.org",
        tls_certificate="/etc/cert.pem",
        tls_key="/etc/key.pem",
        connections=10,
        connections_per_address=2,
        log_level="debug",
        log_format="json",
    )
    line = channel.line(settings=channel.packed(settings))
    assert line.endswith(b"\n")
    assert channel.unpacked(json.loads(line)["settings"]) == settings
