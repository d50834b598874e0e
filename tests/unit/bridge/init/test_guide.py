from __future__ import annotations

import dataclasses
from pathlib import PurePath

import pytest

from bridge.init import guide, places
from bridge.init.answers import Answers, MailServer, Tls
from bridge.init.plan import Machine

ANSWERS = Answers(
    host="mail.example.org",
    mail_server=MailServer.POSTFIX,
    tls=Tls.LOCAL_CA,
    user="alice",
    addresses=("alice@example.org",),
    device="phone",
)
SERVER = Machine(
    root=True, systemd=True, program="/usr/bin/postbell", service_unit=True, socket_unit=True, on_path=True
)
TRY = (
    "sudo -u postbell postbell watch alice/phone, and in another terminal: echo It rings. | sendmail alice@example.org"
)
TRUST = "copy the file to it, or print it for copying: postbell certificate ca"
SYSTEM = places.of_the_system()
ALICES = places.of_a_user(PurePath("/home/alice"), {})


def told(machine=SERVER, installation=SYSTEM, *, connected=True, standard=True, again=False, **changed):
    answers = dataclasses.replace(ANSWERS, **changed)
    return guide.lines(answers, installation, machine, connected=connected, standard=standard, again=again)


def test_a_server_is_started_tried_and_looked_at():
    assert told() == (
        "1. start it, now and from now on: sudo systemctl enable --now postbell",
        f"2. try it: {TRY}",
        "3. see whether it works: sudo -u postbell postbell doctor",
        f"4. let each device trust /etc/postbell/ca.pem: {TRUST}",
    )


@pytest.mark.parametrize(
    ("machine", "installation", "again", "start"),
    [
        (SERVER, SYSTEM, True, "have it know all this: sudo systemctl restart postbell.socket postbell"),
        (
            dataclasses.replace(SERVER, service_unit=False, on_path=False, program="/opt/x/postbell"),
            SYSTEM,
            False,
            "start it, and have your system start it from now on: sudo -u postbell /opt/x/postbell serve",
        ),
        (SERVER, ALICES, False, "start it, now and whenever you log in: systemctl --user enable --now postbell"),
        (SERVER, ALICES, True, "have it know all this: systemctl --user restart postbell"),
        (
            dataclasses.replace(SERVER, systemd=False),
            ALICES,
            False,
            "start it, and have your system start it from now on: postbell serve",
        ),
    ],
)
def test_how_it_is_started_depends_on_who_starts_it(machine, installation, again, start):
    assert told(machine, installation, again=again)[0] == f"1. {start}"


def test_another_configuration_is_named():
    installation = places.of_the_system(configuration=PurePath("/srv/bell.toml"))
    assert any(
        "sudo -u postbell postbell --config /srv/bell.toml doctor" in line
        for line in told(SERVER, installation, standard=False)
    )


def test_a_mail_server_that_hands_nothing_over_yet_is_a_step():
    assert any("setup postfix | sudo sh" in line for line in told(connected=False))
    lines = told(mail_server=MailServer.NONE)
    assert any("over LMTP to unix:/run/postbell/lmtp.sock" in line for line in lines)
    assert any("send FILE.eml --to alice@example.org" in line for line in lines)


def test_a_domain_is_tried_with_any_name():
    assert any("sendmail x@example.org" in line for line in told(addresses=("@example.org",)))


def test_whom_all_trust_needs_no_step():
    assert not any("ca.pem" in line for line in told(tls=Tls.LETSENCRYPT))
