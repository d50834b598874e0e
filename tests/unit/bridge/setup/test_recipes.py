from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from bridge.config.endpoints import TcpAddress, parse_endpoint
from bridge.directory import COPY_DOMAIN, Directory, User
from bridge.errors import ConfigurationError, UnknownUserError
from bridge.setup import dovecot, exim, opensmtpd, postfix
from bridge.setup.recipe import Site, copy_address

SITE = Site(
    lmtp=parse_endpoint("unix:/run/postbell/lmtp"),
    smtp=TcpAddress("127.0.0.1", 2525),
    addresses=("alice@example.org", "a.b/c|d@example.org", "@all.example"),
)
RECIPES = {"postfix": postfix.recipe, "exim": exim.recipe, "opensmtpd": opensmtpd.recipe, "dovecot": dovecot.recipe}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
def test_a_recipe_prints_as_a_script_that_names_every_file_and_command(recipe):
    made = recipe(SITE)
    script = str(made)
    for file in made.files:
        assert f"cat > {file.path} <<'POSTBELL'\n{file.text}POSTBELL\n" in script
    assert script.endswith("\n".join([*made.commands, made.reload]) + "\n")
    assert script.startswith(f"# {made.server}: ")
    assert all(f"# - {note}\n" in script for note in made.notes)


@pytest.mark.parametrize("recipe", [postfix.recipe, exim.recipe, dovecot.recipe])
def test_without_lmtp_the_error_says_what_to_set(recipe):
    with pytest.raises(ConfigurationError, match=r"lmtp\.listen"):
        recipe(Site(lmtp=None, addresses=("alice@example.org",)))


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
@pytest.mark.parametrize("address", ["a b@example.org", "a'b\n@example.org", "ä@example.org", '"a"@b.example', "alice"])
def test_an_address_that_would_break_a_configuration_is_left_out_and_named(recipe, address):
    made = recipe(Site(lmtp=SITE.lmtp, smtp=SITE.smtp, addresses=(address, "bob@example.org")))
    assert made.notes[-1] == f"Left out, being more than plain ASCII: {address!a}."
    assert not any(address in file.text for file in made.files)
    assert not any(address in command for command in made.commands)


def test_quotes_in_an_address_stay_quotes_in_the_shell():
    where = Site(lmtp=None, smtp=TcpAddress("127.0.0.1", 2525), addresses=("o'brien.x@example.org",))
    alias = opensmtpd.recipe(where).commands[-1]
    assert shlex.split(alias)[2] == r"^o'brien\.x:"
    assert "o'brien.x: o'brien.x, o'brien.x=example.org@postbell.invalid" in shlex.split(alias)


def test_postfix_copies_addresses_with_their_details_and_whole_domains():
    bcc = postfix.recipe(SITE).files[0].text.splitlines()
    assert bcc == [
        r"/^(alice(\+[^@]*)?)@example\.org$/ ${1}=example.org@postbell.invalid",
        r"/^(a\.b\/c\|d(\+[^@]*)?)@example\.org$/ ${1}=example.org@postbell.invalid",
        r"/^([^@]+)@all\.example$/ ${1}=all.example@postbell.invalid",
    ]


def test_postfix_keeps_what_is_configured_and_adds_itself_once():
    ours = "regexp:/etc/postfix/postbell_bcc"
    for before in ("hash:/etc/postfix/bcc", f"hash:/etc/postfix/bcc, {ours}"):
        commands = postfix.recipe(SITE, bcc_maps=before).commands
        assert f"postconf -c /etc/postfix -e 'recipient_bcc_maps = hash:/etc/postfix/bcc, {ours}'" in commands


def test_over_tcp_the_address_is_written_as_each_server_wants_it():
    site = Site(lmtp=TcpAddress("::1", 24), addresses=())
    assert "postbell:inet:[::1]:24\n" in postfix.transport(site).files[0].text
    assert "  hosts = ::1\n  port = 24\n" in exim.recipe(site).files[2].text


def test_dovecot_matches_addresses_details_and_domains():
    script = dovecot.recipe(SITE).files[0].text
    assert '"alice@example.org", "alice+*@example.org"' in script
    assert '"*@all.example"' in script


def test_the_directory_knows_whom_a_copy_is_for():
    directory = Directory.of([User(1, "alice")], [("alice@example.org", 1)])
    found = directory.resolve(f"alice+work=example.org@{COPY_DOMAIN}")
    assert (found.user, found.detail) == ("alice", "work")
    assert directory.resolve(copy_address("alice@example.org")).user == "alice"
    for address in (f"bob=example.org@{COPY_DOMAIN}", f"alice@{COPY_DOMAIN}", f"a=b=other.example@{COPY_DOMAIN}"):
        with pytest.raises(UnknownUserError):
            directory.resolve(address)


def test_names_that_are_commands_elsewhere_stay_out_of_aliases_and_scripts():
    hostile = (
        "|reboot@example.org",
        "/etc/passwd@example.org",
        "-x@example.org",
        "`id`@example.org",
        "$(id)@b.example",
    )
    where = Site(lmtp=SITE.lmtp, smtp=SITE.smtp, addresses=(*hostile, "${1}@example.org", "bob@example.org"))
    made = opensmtpd.recipe(where)
    assert [shlex.split(command)[-3] for command in made.commands[1:]] == ["bob: bob, bob=example.org@postbell.invalid"]
    assert "|reboot@example.org" in made.notes[-2]
    assert "${1}@example.org" in made.notes[-1]
    assert "${1}@" not in dovecot.recipe(where).files[0].text.replace("${1}=${2}@", "")


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
def test_a_script_does_nothing_but_what_it_says_whatever_the_names(recipe, tmp_path):
    """Run in a shell with all its programs replaced: no name becomes a command, every file is where it should be."""
    etc, traces = tmp_path / "it's $HOME `etc`", tmp_path / "traces"
    for folder in (etc / "sieve", etc / "conf.d" / "router", etc / "conf.d" / "transport", traces):
        folder.mkdir(parents=True)
    names = ["a'b", "`touch\x20x`", "$(touch${IFS}x)", "|touch", "*", "%s", "{a,b}", "!!", "~", "x&touch&x"]
    site = Site(lmtp=SITE.lmtp, smtp=SITE.smtp, addresses=tuple(f"{name}@example.org" for name in names))
    options = {"postfix_directory": str(etc)} if recipe is dovecot.recipe else {}
    made = recipe(site, directory=str(etc), **options)
    programs = "touch() { : > called; }\n" + "".join(
        f"{name}() {{ :; }}\n" for name in ("postconf", "postfix", "sievec", "doveadm", "systemctl")
    )
    script = programs + str(made).replace("update-exim4.conf", ":").replace("invoke-rc.d", ":")
    for file in ("smtpd.conf", "aliases"):
        (etc / file).write_text("\n")
    subprocess.run(["sh", "-e", "-c", script], cwd=traces, check=True, env={"PATH": "/usr/bin:/bin"})
    assert not list(traces.iterdir())
    for file in made.files:
        assert Path(file.path).read_text() == file.text


@pytest.mark.parametrize("listen", ["unix:/run/post bell/lmtp", "unix:/run/$x", 'unix:/run/"x', "127.0.0.1:0"])
def test_a_listener_that_no_configuration_can_name_is_refused(listen):
    for recipe in (postfix.recipe, exim.recipe, dovecot.recipe):
        with pytest.raises(ConfigurationError, match=r"lmtp\.listen"):
            recipe(Site(lmtp=parse_endpoint(listen), addresses=("alice@example.org",)))
