from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import PurePath

import pytest

from bridge.config import loading
from bridge.config.permissions import FileMode
from bridge.config.section import read
from bridge.config.settings import Settings
from bridge.init import configuration, places, plan
from bridge.init.answers import Answers, MailServer, Tls
from bridge.init.plan import Account, Authority, Command, Copies, Folder, Machine, Membership, TextFile
from bridge.setup.recipe import File

ANSWERS = Answers(
    host="mail.example.org",
    mail_server=MailServer.POSTFIX,
    tls=Tls.LOCAL_CA,
    user="alice",
    addresses=("alice@example.org",),
    device="phone",
)
SET = (
    *("state_dir", "lmtp.listen", "lmtp.socket_owner"),
    *("broker.tls_listen", "broker.tls_cert", "broker.tls_key", "broker.public_url"),
)
SERVER = Machine(root=True, systemd=True, program="/usr/bin/postbell", socket_unit=True)
BARE = Machine(root=True, systemd=False, program="/opt/postbell/.venv/bin/postbell", cron=True)
HOME = Machine(root=False, systemd=True, program="/home/alice/.local/bin/postbell")
SYSTEM = places.of_the_system()
HINTS = {f"{section}.{key}" for section, names in configuration.HINTS.items() for key in names}
KNOWN = {name: (f"what `{name}` means", '"default"') for name in (*SET, *HINTS, *configuration.HINTS)}
ALICES = places.of_a_user(PurePath("/home/alice"), {})


def made(machine=SERVER, place=SYSTEM, **changed):
    answers = dataclasses.replace(ANSWERS, **changed)
    return plan.make(answers, place, machine, known=KNOWN)


def configured(planned):
    [text] = [file.text for file in planned.files if file.path == planned.configuration]
    return text, tomllib.loads(text)


def of_kind(planned, *kinds):
    return [step for step in planned.steps if isinstance(step, kinds)]


def test_a_server_with_systemd():
    planned = made()
    text, values = configured(planned)
    assert values == {
        "state_dir": "/var/lib/postbell",
        "lmtp": {"listen": "unix:/run/postbell/lmtp.sock"},
        "broker": {
            "tls_listen": "0.0.0.0:8883",
            "tls_cert": "/etc/postbell/tls/fullchain.pem",
            "tls_key": "/etc/postbell/tls/privkey.pem",
            "public_url": "mqtts://mail.example.org:8883",
        },
    }
    assert read(Settings, values).lmtp.listen == SYSTEM.lmtp
    assert "# what broker.public_url means\npublic_url = " in text
    hinted = tomllib.loads(re.sub(r"^#(?! )", "", text, flags=re.MULTILINE))
    assert {f"{section}.{key}" for section in configuration.HINTS for key in hinted[section]} == HINTS
    assert planned.steps[0] == Account("postbell", PurePath("/var/lib/postbell"))
    assert of_kind(planned, Membership) == [], "the socket comes from systemd"
    assert of_kind(planned, Folder) == [
        Folder(PurePath("/etc/postbell"), FileMode(0o755)),
        Folder(PurePath("/etc/postbell/tls"), FileMode(0o750), "", "postbell"),
        Folder(PurePath("/var/lib/postbell"), FileMode(0o700), "postbell", "postbell"),
    ]
    names = ("mail.example.org", "localhost", "127.0.0.1", "::1")
    assert of_kind(planned, Authority) == [Authority(PurePath("/etc/postbell/tls"), names, "postbell")]
    assert [str(file) for file in planned.files] == [
        "/etc/systemd/system/postbell-certificate.service",
        "/etc/systemd/system/postbell-certificate.timer",
        "/etc/postbell/postbell.toml",
    ]
    commands = [str(step) for step in of_kind(planned, Command)]
    assert "systemctl enable --now postbell-certificate.timer" in commands
    assert planned.steps[-1].path == planned.configuration, "the last one: who has it has all"


def test_units_that_no_package_brought_are_put_into_their_place():
    names = ("/etc/systemd/system/postbell.service", "/etc/sysusers.d/postbell.conf")
    units = tuple(File(name, f"# {name}\n") for name in names)
    written = {str(file): file.text for file in made(dataclasses.replace(SERVER, units=units)).files}
    for name in names:
        assert written[name] == f"# {name}\n"


def test_who_is_there_is_not_made_again():
    assert of_kind(made(dataclasses.replace(SERVER, account=True)), Account) == []


@pytest.mark.parametrize(
    ("server", "group"),
    [(MailServer.POSTFIX, None), (MailServer.DOVECOT, None), (MailServer.NONE, None), (MailServer.EXIM, "Debian-exim")],
)
def test_the_socket_of_systemd_is_given_to_another_group_where_it_has_to_be(server, group):
    drop_ins = [file.text for file in made(mail_server=server).files if file.path.name == "group.conf"]
    assert drop_ins == ([f"# Written by `postbell init`.\n[Socket]\nSocketGroup={group}\n"] if group else [])


def test_without_systemd_postbell_joins_the_group_and_the_socket_is_where_it_stays():
    planned = made(BARE)
    values = configured(planned)[1]
    assert values["lmtp"] == {"listen": "unix:/var/spool/postbell/lmtp.sock", "socket_owner": ":postfix"}
    assert of_kind(planned, Membership) == [Membership("postbell", "postfix")]
    assert Folder(PurePath("/var/spool/postbell"), FileMode(0o755), "postbell", "postbell") in planned.steps
    [cron] = [file for file in planned.files if file.path == PurePath("/etc/cron.weekly/postbell-certificate")]
    assert cron.mode == 0o755
    assert "certificate renew --config /etc/postbell/postbell.toml >/dev/null\n" in cron.text


def test_opensmtpd_comes_over_tcp_and_needs_no_socket():
    for machine in (SERVER, BARE):
        planned = made(machine, mail_server=MailServer.OPENSMTPD)
        assert "lmtp" not in configured(planned)[1]
        assert of_kind(planned, Membership) == []


def test_lets_encrypt_is_copied_and_its_hook_copies_each_renewed_one():
    planned = made(tls=Tls.LETSENCRYPT)
    live = PurePath("/etc/letsencrypt/live/mail.example.org")
    tls = PurePath("/etc/postbell/tls")
    assert of_kind(planned, Copies) == [
        Copies(tls, live / "fullchain.pem", live / "privkey.pem", "mail.example.org", "postbell")
    ]
    [hook] = [file for file in planned.files if "renewal-hooks" in str(file)]
    assert (hook.path.parent.name, hook.mode) == ("deploy", 0o755)
    assert 'exec /usr/bin/postbell certificate install --config /etc/postbell/postbell.toml "$lineage' in hook.text
    assert of_kind(planned, Authority) == []
    assert not any("timer" in str(step) for step in planned.steps), "certbot has its own"


def test_given_files_are_copied_for_the_service_and_used_where_they_are_by_their_owner():
    files = {"tls": Tls.FILES, "certificate": PurePath("/srv/c.pem"), "key": PurePath("/srv/k.pem")}
    [copies] = of_kind(made(**files), Copies)
    assert (copies.certificate, copies.key) == (files["certificate"], files["key"])
    planned = made(HOME, ALICES, **files)
    assert of_kind(planned, Copies) == []
    assert configured(planned)[1]["broker"]["tls_key"] == "/srv/k.pem"


def test_without_tls_devices_stay_on_this_machine():
    assert "broker" not in configured(made(tls=Tls.NONE))[1]


def test_a_user_needs_no_root():
    planned = made(HOME, ALICES)
    values = configured(planned)[1]
    assert planned.configuration == PurePath("/home/alice/.config/postbell/postbell.toml")
    assert values["state_dir"] == "/home/alice/.local/state/postbell"
    assert values["lmtp"] == {"listen": "127.0.0.1:2424"}
    assert of_kind(planned, Account, Membership) == []
    for folder in of_kind(planned, Folder):
        assert (folder.user, folder.group) == ("", "")
    [unit] = [file for file in planned.files if file.path.name == "postbell.service"]
    assert unit.path.parent == PurePath("/home/alice/.config/systemd/user")
    serve = "/home/alice/.local/bin/postbell serve --config /home/alice/.config/postbell/postbell.toml"
    assert f"\nExecStart={serve}\n" in unit.text
    assert all(command.words[:2] == ("systemctl", "--user") for command in of_kind(planned, Command))


def test_a_user_without_systemd_has_files_alone():
    planned = made(dataclasses.replace(HOME, systemd=False), ALICES)
    assert planned.files == (TextFile(planned.configuration, configured(planned)[0]),)


def test_places_follow_xdg_and_what_is_named():
    environ = {"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}
    place = places.of_a_user(PurePath("/home/alice"), environ)
    assert (str(place.configuration), str(place.state)) == ("/c/postbell/postbell.toml", "/s/postbell")
    file, state = PurePath("/x/bell.toml"), PurePath("/y")
    for place in (
        places.of_a_user(PurePath("/home/alice"), environ, configuration=file, state=state),
        places.of_the_system(configuration=file, state=state),
    ):
        assert (str(place.configuration), str(place.state), str(place.tls)) == ("/x/bell.toml", "/y", "/x/tls")
    assert places.FILE_NAME == loading.FILE_NAME


def test_an_ipv6_address_stands_in_brackets_in_the_url():
    values = configured(made(host="2001:db8::1", port=8884))[1]
    assert values["broker"]["public_url"] == "mqtts://[2001:db8::1]:8884"


def test_any_text_is_written_as_toml_reads_it():
    state = PurePath('/srv/"quoted"\\ and\tü\x7f')
    values = configured(made(place=places.of_the_system(state=state)))[1]
    assert values["state_dir"] == str(state)


def test_each_step_says_what_it_is():
    for machine, place in ((SERVER, SYSTEM), (BARE, SYSTEM), (HOME, ALICES)):
        for tls in (Tls.LOCAL_CA, Tls.LETSENCRYPT):
            assert all(map(str, made(machine, place, tls=tls).steps))
