"""`postbell init` and `postbell certificate` as commands, for a user without root and for a server's root."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import pty
import re
import select
import shutil
import stat
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

from bridge.cli import first, main, opening, setup
from bridge.init import authority, finding, plan
from bridge.init.answers import MailServer
from bridge.init.certificates import Papers
from bridge.init.plan import Machine
from bridge.setup.recipe import File, Recipe
from tests.conftest import need

ALL = [
    *("--host", "mail.example.org", "--user", "alice", "--address", "alice@example.org"),
    *("--device", "phone", "--mta", "none", "--tls", "local-ca"),
]
PLAIN = Machine(root=False, systemd=False, program="/usr/bin/postbell", on_path=True)
SERVER = Machine(
    root=True,
    systemd=True,
    program="/usr/bin/postbell",
    on_path=True,
    account=True,
    service_unit=True,
    socket_unit=True,
)


class Command:
    """Runs `postbell …` in this process: exit code, and what was said on both streams."""

    def __init__(self, home, monkeypatch, capsys):
        self.home, self.monkeypatch, self.capsys = home, monkeypatch, capsys
        self.configuration = home / ".config" / "postbell" / "postbell.toml"

    def __call__(self, *arguments):
        self.monkeypatch.setattr(sys, "argv", ["postbell", *map(str, arguments)])
        code = main.run()
        shown = self.capsys.readouterr()
        return code, shown.out + shown.err

    def tree(self):
        """Every file and folder with its mode and, for files, its bytes."""
        return {
            str(path.relative_to(self.home)): (
                oct(stat.S_IMODE(path.stat().st_mode)),
                path.read_bytes() if path.is_file() and ".db" not in path.name else b"",
            )
            for path in self.home.rglob("*")
        }


@pytest.fixture
def postbell(tmp_path, monkeypatch, capsys):
    """Commands of a user who is not root, on a machine without systemd and mail server."""
    for name in [name for name in os.environ if name.startswith(("POSTBELL_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(finding, "machine", lambda **_: PLAIN)
    monkeypatch.setattr(finding, "mail_server", lambda: MailServer.NONE)
    return Command(tmp_path, monkeypatch, capsys)


def test_a_user_without_root_has_all_in_one_go(postbell):
    code, said = postbell("init", *ALL, "--qr")
    assert code == 0, said
    tree = postbell.tree()
    assert {name: mode for name, (mode, _) in tree.items() if not name.startswith(".local/state/postbell/")} == {
        ".config": "0o755",
        ".config/postbell": "0o755",
        ".config/postbell/ca.pem": "0o644",
        ".config/postbell/postbell.toml": "0o644",
        ".config/postbell/tls": "0o700",
        ".config/postbell/tls/ca.key": "0o600",
        ".config/postbell/tls/fullchain.pem": "0o644",
        ".config/postbell/tls/privkey.pem": "0o600",
        ".local": "0o755",
        ".local/state": "0o755",
        ".local/state/postbell": "0o700",
    }
    assert "mqtts://mail.example.org:8883" in said
    assert re.search(r"password +[A-Za-z0-9_-]{22,}\n", said)
    assert "█" in said
    assert f"trust {postbell.home}/.config/postbell/ca.pem, SHA-256 " in said
    assert "postbell serve" in said
    [user] = json.loads(postbell("user", "list", "--json")[1])  # it is found where it is
    assert (user["user"], user["addresses"], user["devices"]) == ("alice", ["alice@example.org"], ["phone"])


def test_the_variable_names_the_configuration_as_the_option_does(postbell, monkeypatch, tmp_path):
    monkeypatch.setenv("POSTBELL_CONFIG", str(tmp_path / "elsewhere" / "bell.toml"))
    code, said = postbell("init", *ALL)
    assert code == 0, said
    assert (tmp_path / "elsewhere" / "bell.toml").exists()
    assert not postbell.configuration.exists()
    assert f"--config {tmp_path}/elsewhere/bell.toml doctor" in said


def test_a_new_authority_is_made_when_the_old_one_was_moved_away(postbell):
    postbell("init", *ALL)
    ca = postbell.configuration.with_name("ca.pem")
    old = ca.read_bytes()
    (postbell.configuration.parent / "tls" / "ca.key").unlink()
    code, said = postbell("certificate", "renew", "--now")
    assert (code, "put the key back for this" in said) == (1, True)
    ca.unlink()
    code, said = postbell("init", *ALL)
    assert (code, "a certificate from elsewhere" in said) == (2, True)
    code, said = postbell("init", *ALL, "--force")
    assert code == 0, said
    assert ca.read_bytes() != old
    assert Papers.within(postbell.configuration.parent / "tls").is_local()


def test_the_second_time_it_says_that_all_is_there(postbell):
    postbell("init", *ALL)
    before = postbell.tree()
    code, said = postbell("init", *ALL)
    assert code == 0
    assert postbell.tree() == before
    assert "made " not in said.partition("What is next")[0].replace("was made", "")
    assert "there already      device alice/phone" in said
    assert "for a new one: postbell device password alice phone" in said
    assert "\npassword " not in said


def test_what_will_not_work_is_told_at_the_end(postbell, monkeypatch):
    postbell("init", *ALL)
    monkeypatch.setattr(first, "problems", lambda *_, **__: ["broker.tls_key: it is broken; mend it"])
    code, said = postbell("init", *ALL)
    assert code == 1
    assert said.endswith("will not work\n\n  broker.tls_key: it is broken; mend it\n")


def test_more_of_the_same_is_added(postbell):
    postbell("init", *ALL)
    _, said = postbell("init", *ALL, "--address", "a@example.org", "--device", "tablet")
    assert "made               user alice, alice@example.org, a@example.org" in said
    assert "made               device alice/tablet, with this login:" in said


def test_what_differs_is_not_touched_until_it_is_to_be(postbell):
    postbell("init", *ALL)
    mine = postbell.configuration.read_text() + "\n[retain]\ncount = 7\n"
    postbell.configuration.write_text(mine)
    before = postbell.tree()
    code, said = postbell("init", *ALL)
    assert code == 2
    assert f"postbell: {postbell.configuration}: there already, and not as these answers make it" in said
    assert postbell.tree() == before
    code, said = postbell("init", *ALL, "--force")
    assert code == 0
    aside = postbell.configuration.with_name("postbell.toml.old-1")
    assert f"(the old one is {aside})" in said
    assert aside.read_text() == mine


def test_a_dry_run_says_it_all_and_does_nothing(postbell):
    code, said = postbell("init", *ALL, "--dry-run")
    assert code == 0
    assert f"  to be made         {postbell.home}/.local/state/postbell\n" in said
    assert "  to be added        user alice, alice@example.org\n" in said
    assert "  to be added        device alice/phone, with a login" in said
    assert not re.search("^(folder|textfile|authority)", said, re.MULTILINE), "no names of the code"
    text = said.partition(f"--- {postbell.configuration} (0644)\n")[2]
    assert tomllib.loads(text)["broker"]["public_url"] == "mqtts://mail.example.org:8883"
    assert postbell.tree() == {}


@pytest.mark.parametrize(
    ("left_out", "named"),
    [
        (("--host",), "name --host, or"),
        (("--user", "--address"), "name --user, --address, or"),
        (("--mta", "--tls", "--device"), "name --mta, --tls, --device, or"),
    ],
)
def test_nothing_is_guessed_where_nobody_can_be_asked(postbell, left_out, named):
    pairs = list(zip(ALL[::2], ALL[1::2], strict=True))
    code, said = postbell("init", *(word for pair in pairs if pair[0] not in left_out for word in pair))
    assert code == 2
    assert named in said
    assert postbell.tree() == {}


def test_yes_takes_what_is_proposed_and_still_guesses_nothing_of_whom(postbell):
    code, said = postbell("init", "--yes", *ALL[:6])
    assert (code, "device alice/phone" in said) == (0, True)
    code, said = postbell("init", "--yes")
    assert code == 2
    assert "init: nobody can be asked here: name --host, --user, --address\n" in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--host", "mqtts://x"), "--host: 'mqtts://x': write a host name"),
        (("--user", "Alice"), "--user: 'Alice': use 1 to 32 of a-z"),
        (("--address", "alice"), "--address: 'alice' is not a mail address"),
        (("--device", "My phone"), "--device: 'My phone': use 1 to 32"),
        (("--also", "a b"), "--also: 'a b': write a host name"),
        (("--tls", "files"), "name --cert, --key"),
        (
            ("--tls", "files", "--cert", "absent.pem", "--key", "k.pem"),
            "--cert: absent.pem: no such file\n--key: k.p",
        ),
        (("--tls", "letsencrypt"), "--tls letsencrypt: only root may read certbot's certificates"),
        (("--tls", "magic"), "'magic': not one of the choices; write 'letsencrypt', "),
        (("--port", "0"), "Invalid value for '--port': '0': too small; write 1 or more"),
        (("--port", "x"), "Invalid value for '--port': 'x': not a whole number; write one, as 100"),
    ],
)
def test_what_cannot_be_meant_is_told_before_anything_is_done(postbell, options, words):
    code, said = postbell("init", *ALL, *options)
    assert code == 2
    assert words in said
    assert postbell.tree() == {}


def test_all_mistakes_are_told_at_once(postbell):
    wrong = (
        "--host",
        "a b",
        "--user",
        "B B",
        "--address",
        "nope",
        "--device",
        "-",
        "--tls",
        "files",
        "--key",
        "no.pem",
    )
    code, said = postbell("init", *wrong)
    assert code == 2
    for words in (
        "--host: 'a b': write a host name",
        "\n--user: 'B B': use 1 to 32",
        "\n--address: 'nope' is not a mail address",
        "\n--device: '-': use 1 to 32",
        "\n--key: no.pem: no such file",
        "\ninit: nobody can be asked here: name --mta, --cert, or answer",
    ):
        assert words in said
    assert postbell.tree() == {}


def test_what_is_here_and_in_the_way_is_told_at_once(postbell):
    postbell.configuration.parent.mkdir(parents=True)
    postbell.configuration.write_text("mine")
    before = postbell.tree()
    code, said = postbell("init", *ALL, "--tls", "letsencrypt")
    assert code == 2
    assert "--tls letsencrypt: only root may read certbot's certificates" in said
    assert f"\n{postbell.configuration}: there already, and not as these answers make it" in said
    assert postbell.tree() == before


def test_an_address_of_somebody_else_is_told_and_can_be_mended(postbell):
    postbell("init", *ALL)
    code, said = postbell("init", *ALL, "--user", "bob")
    assert code == 1
    assert "alice@example.org belongs to alice already" in said
    code, said = postbell("init", *ALL, "--user", "bob", "--address", "b@example.org")
    assert code == 1
    assert postbell("user", "list", "--config", postbell.configuration)[1].startswith("alice\t")


# --- for a server ---------------------------------------------------------------------------------


@pytest.fixture
def server(postbell, monkeypatch):
    """Commands of root, for an installation that runs as `nobody` and has all its files below one folder."""
    monkeypatch.undo()
    if os.geteuid() != 0:
        pytest.skip("needs root, for files of another user")
    monkeypatch.setattr(first, "problems", lambda *_, **__: [])  # needs a program that the account may run
    importlib.import_module("importlib.readers")  # which the account may not read where tests run as root out of a home
    home = Path(tempfile.mkdtemp(prefix="postbell-init-"))  # pytest's folders are closed to other users
    home.chmod(0o755)
    postbell.home = home
    monkeypatch.chdir(home)
    monkeypatch.setattr(finding, "machine", lambda **_: SERVER)
    lineages = postbell.home / "letsencrypt"
    monkeypatch.setattr(plan, "LETSENCRYPT", lineages)
    monkeypatch.setattr(finding, "lineage", lambda host: (lineages / "live" / host / "fullchain.pem").exists())
    postbell.configuration = postbell.home / "etc" / "postbell.toml"
    postbell.places = ("--config", postbell.configuration, "--state-dir", postbell.home / "state", "--run-as", "nobody")
    yield postbell
    shutil.rmtree(home)


def certified(folder, host="mail.example.org"):
    """A certificate and its key, as an ACME client leaves them."""
    folder.mkdir(parents=True, exist_ok=True)
    now = opening.now()
    pair = authority.make_server(authority.make_authority("elsewhere", now=now), (host,), now=now)
    (folder / "fullchain.pem").write_bytes(pair.certificate)
    (folder / "privkey.pem").write_bytes(pair.key)
    return pair


def test_roots_installation_belongs_to_the_account(server):
    live = server.home / "letsencrypt" / "live" / "mail.example.org"
    code, said = server("init", *ALL, *server.places, "--tls", "letsencrypt")
    assert code == 2
    assert "certbot has no certificate for mail.example.org" in said
    pair = certified(live)
    code, said = server("init", *ALL, *server.places, "--tls", "letsencrypt")
    assert code == 0, said
    assert "sudo systemctl enable --now postbell" in said
    assert f"sudo -u nobody postbell --config {server.configuration} doctor" in said
    papers = Papers.within(server.home / "etc" / "tls")
    assert papers.key.read_bytes() == pair.key
    for path, owner, group, mode in (
        (papers.key, "root", "nogroup", 0o640),
        (papers.key.parent, "root", "nogroup", 0o750),
        (server.home / "state", "nobody", "nogroup", 0o700),
        (server.home / "state" / "postbell.db", "nobody", "nogroup", 0o600),
        (server.configuration, "root", "root", 0o644),
    ):
        found = path.stat()
        assert (path.owner(), path.group(), stat.S_IMODE(found.st_mode)) == (owner, group, mode), path
    renewed = certified(live)
    hook = server.home / "letsencrypt" / "renewal-hooks" / "deploy" / "postbell"
    words = hook.read_text().splitlines()[-1].replace("$lineage", str(live)).replace('"', "").split()
    code, said = server(*words[2:])
    assert code == 0, said
    assert (papers.key.read_bytes(), papers.key.group()) == (renewed.key, "nogroup")
    assert stat.S_IMODE(papers.key.stat().st_mode) == 0o640


@pytest.fixture
def postfix(server, monkeypatch):
    """The configuration of a Postfix that does not run."""
    need("postconf")
    folder = server.home / "postfix"
    folder.mkdir()
    (folder / "main.cf").write_text("compatibility_level = 3.6\n")
    (folder / "master.cf").write_text("")
    monkeypatch.setattr("bridge.setup.postfix.ETC", str(folder))
    return folder


WITH_POSTFIX = ("--tls", "none", "--mta", "postfix")


def test_the_mail_server_is_set_up_when_that_is_wanted(server, postfix):
    arguments = (*ALL, *server.places, *WITH_POSTFIX)
    _, said = server("init", *arguments)
    assert "have postfix hand over copies: sudo -u nobody postbell" in said
    assert (postfix / "main.cf").read_text() == "compatibility_level = 3.6\n"
    _, said = server("init", *arguments, "--no-apply-mta", "--yes")
    assert (postfix / "main.cf").read_text() == "compatibility_level = 3.6\n"
    code, said = server("init", *arguments, "--apply-mta")
    assert code == 0, said
    assert "done               Postfix: a blind copy over LMTP" in said
    assert "to be done by hand postfix -c" in said, "it does not run"
    assert "recipient_bcc_maps = pipemap:{regexp:" in (postfix / "main.cf").read_text()
    assert "alice" in (postfix / "postbell" / "copies").read_text()
    assert "hand over copies" not in said.partition("What is next")[2]


@pytest.mark.parametrize(("answer", "done"), [("y", True), ("n", False)])
def test_on_a_terminal_the_recipe_is_shown_and_asked_for(server, postfix, answer, done):
    arguments = map(str, (*ALL, *server.places, *WITH_POSTFIX, "--run-as", "root"))
    code, screen = on_a_terminal([("Go ahead? [Y/n]:", ""), ("as root? [Y/n]:", answer)], *arguments)
    assert code == 0, screen
    assert "This makes Postfix hand over copies:\n\n# Postfix: a blind copy" in screen
    assert ("recipient_bcc_maps" in (postfix / "main.cf").read_text()) is done


def test_units_that_no_package_brought_are_those_of_the_recipe(server, monkeypatch):
    bare = dataclasses.replace(SERVER, service_unit=False, socket_unit=False)
    monkeypatch.setattr(finding, "machine", lambda **_: bare)
    monkeypatch.setattr(
        setup, "units", lambda **_: Recipe("systemd", "", (File("/etc/x/postbell.service", "U\n"),), (), "")
    )
    code, said = server("init", *ALL, "--dry-run")
    assert code == 0, said
    assert "to be made         /etc/x/postbell.service\n" in said
    assert 'listen = "unix:/run/postbell/lmtp.sock"' in said


def test_a_recipe_that_fails_is_told(server, monkeypatch):
    monkeypatch.setattr("bridge.setup.postfix.ETC", "/nowhere/postfix")
    code, said = server("init", *ALL, *server.places, "--tls", "none", "--mta", "postfix", "--apply-mta")
    assert code == 1
    assert "postbell: the recipe for Postfix could not be carried out: " in said


# --- certificates ---------------------------------------------------------------------------------


def test_the_certificate_is_shown_renewed_and_its_authority_printed(postbell):
    postbell("init", *ALL, "--also", "192.0.2.7")
    config = ("--config", postbell.configuration)
    shown = json.loads(postbell("certificate", "show", "--json", *config)[1])
    assert shown["certificate"]["names"][0] == "mail.example.org"
    assert "192.0.2.7" in shown["certificate"]["names"]
    _, text = postbell("certificate", "show", *config)
    assert shown["ca"]["sha256"] in text
    assert (shown["ca"]["names"], shown["ca"]["subject"]) == ([], shown["ca"]["issuer"])
    assert f"subject    {shown['ca']['subject']}\n" in text.partition("\nca ")[2]
    assert not re.search(r"names +$", text, re.MULTILINE), "a CA has none"
    _, said = postbell("certificate", "renew", *config)
    assert "not due yet; --now renews it all the same" in said
    assert json.loads(postbell("certificate", "show", "--json", *config)[1]) == shown
    _, said = postbell("certificate", "renew", "--now", *config)
    assert "renewed, good until" in said
    after = json.loads(postbell("certificate", "show", "--json", *config)[1])
    assert after["ca"] == shown["ca"]
    assert after["certificate"]["sha256"] != shown["certificate"]["sha256"]
    ca = (postbell.configuration.parent / "ca.pem").read_text()
    assert postbell("certificate", "ca", *config)[1] == ca
    assert "█" in postbell("certificate", "ca", "--qr", *config)[1]


@pytest.mark.parametrize(
    ("words", "instead"), [(("show",), "sudo -u nobody "), (("renew", "--now"), "this belongs to root: sudo ")]
)
def test_who_may_not_look_at_certificates_is_told_who_may(server, words, instead):
    certified(server.home / "acme")
    files = ("--cert", server.home / "acme" / "fullchain.pem", "--key", server.home / "acme" / "privkey.pem")
    code, said = server("init", *ALL, *server.places, "--tls", "files", *files)
    assert code == 0, said
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(1)
    os.seteuid(1)
    try:
        code, said = server("certificate", *words, "--config", server.configuration)
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
    assert code == 2
    assert "Permission denied" in said
    assert f"{instead}postbell certificate {words[0]}" in said


def test_a_certificate_from_elsewhere_is_installed(postbell, tmp_path):
    pair = certified(tmp_path / "acme")
    files = (tmp_path / "acme" / "fullchain.pem", tmp_path / "acme" / "privkey.pem")
    postbell("init", *ALL, "--tls", "files", "--cert", files[0], "--key", files[1])
    config = ("--config", postbell.configuration)
    values = tomllib.loads(postbell.configuration.read_text())
    assert values["broker"]["tls_cert"] == str(files[0]), "its owner runs it"
    assert "it takes it up by itself" in postbell("certificate", "install", *files, *config)[1]
    code, said = postbell("certificate", "ca", *config)
    assert (code, "there is no local CA" in said) == (2, True)
    code, said = postbell("certificate", "renew", *config)
    assert (code, "not signed by a local CA" in said) == (1, True)
    assert files[0].read_bytes() == pair.certificate


@pytest.mark.parametrize("command", [("show",), ("renew",), ("ca",), ("install", "c.pem", "k.pem")])
def test_without_a_certificate_in_the_configuration_that_is_told(postbell, command):
    postbell("init", *ALL, "--tls", "none")
    code, said = postbell("certificate", *command, "--config", postbell.configuration)
    assert code == 2
    assert "broker.tls_cert and broker.tls_key are not set" in said


def test_files_that_are_gone_or_are_none_are_told(postbell):
    postbell("init", *ALL)
    config = ("--config", postbell.configuration)
    chain = postbell.configuration.parent / "tls" / "fullchain.pem"
    chain.write_text("nothing")
    code, said = postbell("certificate", "show", *config)
    assert (code, f"{chain}: not a certificate as PEM" in said) == (1, True)
    chain.unlink()
    code, said = postbell("certificate", "show", *config)
    assert (code, f"{chain}: No such file or directory" in said) == (1, True)


# --- on a terminal --------------------------------------------------------------------------------


def on_a_terminal(answers, *arguments):
    """Run `postbell init` in a child on a terminal of its own, answering each question; exit code and the screen."""
    pid, terminal = pty.fork()
    if pid == 0:
        try:
            sys.stdin = open(0, closefd=False)  # noqa: SIM115 - pytest's is none that can be read
            sys.stdout = sys.stderr = open(1, "w", closefd=False)  # noqa: SIM115
            sys.argv = ["postbell", "init", *arguments]
            code = main.run()
            sys.stdout.flush()
        except BaseException as error:  # noqa: BLE001 - there must not be two test runs
            sys.stdout.write(f"{error!r}\n")
            sys.stdout.flush()
            code = 70
        os._exit(code)
    screen, waiting = "", list(answers)
    while select.select([terminal], [], [], 30)[0]:
        try:
            screen += os.read(terminal, 65536).decode(errors="replace")
        except OSError:
            break
        if waiting and screen.rstrip().endswith(waiting[0][0]):
            os.write(terminal, f"{waiting.pop(0)[1]}\n".encode())
    os.close(terminal)
    assert not waiting, screen
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), screen.replace("\r\n", "\n")


CONVERSATION = [
    ("Host:", "mqtts://x"),
    ("Host:", "bell.example.org"),
    ("[none]:", "postfx"),
    ("[none]:", ""),
    ("[local-ca]:", ""),
    ("]:", "alice"),
    ("[alice@bell.example.org]:", "alice"),
    ("[alice@bell.example.org]:", ""),
    ("[phone]:", ""),
]


def test_on_a_terminal_it_asks_judges_at_once_and_shows_the_code(postbell, monkeypatch):
    monkeypatch.setattr(finding, "host", lambda: "")
    monkeypatch.setenv("FORCE_COLOR", "1")
    code, screen = on_a_terminal([*CONVERSATION, ("[Y/n]:", "y")])
    assert code == 0, screen
    assert "'mqtts://x': write a host name" in screen
    assert "'postfx': write one of postfix" in screen
    assert "'alice' is not a mail address" in screen
    assert "\x1b[38;5;16;48;5;231m" in screen
    values = tomllib.loads(postbell.configuration.read_text())
    assert values["broker"]["public_url"] == "mqtts://bell.example.org:8883"


def test_the_second_conversation_proposes_what_was_set_up(postbell, monkeypatch):
    monkeypatch.setattr(finding, "host", lambda: "other.example.org")
    postbell("init", *ALL)
    answers = [("[mail.example.org]:", ""), *CONVERSATION[3:6], ("]:", "alice@example.org"), ("[phone]:", "")]
    code, screen = on_a_terminal([*answers, ("[Y/n]:", "")])
    assert code == 0, screen
    assert "there already      device alice/phone" in screen


@pytest.mark.parametrize("answer", [[("[Y/n]:", "n")], [("[Y/n]:", "\x03")]], ids=["no", "Ctrl-C"])
def test_who_does_not_go_ahead_has_nothing(postbell, answer, monkeypatch):
    monkeypatch.setattr(finding, "host", lambda: "")
    code, screen = on_a_terminal([*CONVERSATION, *answer])
    assert code == 1
    assert "Traceback" not in screen
    assert postbell.tree() == {}


def test_on_a_terminal_files_of_a_certificate_are_asked_for(postbell, monkeypatch, tmp_path):
    certified(tmp_path / "acme", "bell.example.org")
    monkeypatch.setattr(finding, "host", lambda: "")
    answers = [
        *CONVERSATION[1:2],
        ("[none]:", ""),
        ("[local-ca]:", "files"),
        ("(PEM):", "absent.pem"),
        ("(PEM):", str(tmp_path / "acme" / "fullchain.pem")),
        ("Its key (PEM):", str(tmp_path / "acme" / "privkey.pem")),
        *CONVERSATION[5:6],
        *CONVERSATION[7:],
    ]
    code, screen = on_a_terminal([*answers, ("[Y/n]:", "")])
    assert code == 0, screen
    assert "absent.pem: no such file" in screen
    assert str(tmp_path / "acme" / "privkey.pem") in postbell.configuration.read_text()
