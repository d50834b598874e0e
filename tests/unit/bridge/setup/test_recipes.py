from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.config.endpoints import TcpAddress, parse_endpoint
from bridge.directory import COPY_DOMAIN, User, resolve
from bridge.errors import ConfigurationError, UnknownUserError
from bridge.setup import dovecot, exim, opensmtpd, postfix
from bridge.setup.recipe import Site, copy_address
from tests.support.book import Book

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


def test_postfix_takes_what_is_in_braces_for_one_table():
    others = "pipemap:{hash:/etc/a, regexp:/etc/b} hash:/etc/c,static:{x y}"
    commands = "\n".join(postfix.recipe(SITE, bcc_maps=others).commands)
    assert (
        "'recipient_bcc_maps = pipemap:{hash:/etc/a, regexp:/etc/b}, hash:/etc/c, static:{x y}, "
        "regexp:/etc/postfix/postbell_bcc'"
    ) in commands


KEPT = replace(SITE, owner="postbell", state_dir="/var/lib/postbell")


def test_postfix_has_a_table_that_postbell_keeps_and_root_narrows():
    before = "hash:/etc/postfix/bcc, regexp:/etc/postfix/postbell_bcc"
    narrowed = "pipemap:{regexp:/etc/postfix/postbell/copies, regexp:/etc/postfix/postbell_only}"
    ours = f"{narrowed}, hash:/etc/postfix/postbell/changed"
    made = postfix.recipe(KEPT, bcc_maps=before, types=("hash", "lmdb", "pipemap", "regexp"))
    texts = {file.path: file.text for file in made.files}
    assert texts["/etc/postfix/postbell/copies"] == postfix.recipe(SITE).files[0].text
    assert texts["/etc/postfix/postbell_only"] == r"/^(.*@postbell\.invalid)$/ ${1}" + "\n"
    assert made.folders == ("/etc/postfix/postbell",)
    assert made.commands[:3] == (
        "postmap -c /etc/postfix hash:/etc/postfix/postbell/changed",
        "chown -R postbell /etc/postfix/postbell",
        f"postconf -c /etc/postfix -e 'recipient_bcc_maps = hash:/etc/postfix/bcc, {ours}'",
    )
    assert made.commands[-2:] == (
        "install -d -o postbell -m 700 /var/lib/postbell/mta",
        "ln -sfn /etc/postfix /var/lib/postbell/mta/postfix",
    )
    assert "taken up by themselves" in made.notes[0]
    again = postfix.recipe(KEPT, bcc_maps=made.commands[2].partition(" = ")[2][:-1], types=("lmdb", "pipemap"))
    assert again.commands[2].count("pipemap") == 1


@pytest.mark.parametrize("types", [(), ("regexp", "hash"), ("regexp", "pipemap")])
def test_a_postfix_without_such_tables_is_told_at_each_run(types):
    made = postfix.recipe(KEPT, types=types)
    assert made.files[0].path == "/etc/postfix/postbell_bcc"
    assert "Run it again" in made.notes[0]
    assert made.commands[-1] == "ln -sfn /etc/postfix /var/lib/postbell/mta/postfix"


def test_the_index_is_made_beside_the_one_that_is_looked_at():
    table, command, index = postfix.signals("/etc/postfix", ".lmdb")
    assert table.path == "/etc/postfix/postbell/changing"
    assert command == ("postmap", "-c", "/etc/postfix", "lmdb:/etc/postfix/postbell/changing")
    assert index == "/etc/postfix/postbell/changing.lmdb"


def test_exim_has_a_table_that_postbell_keeps():
    made = exim.recipe(KEPT)
    assert made.files[0].path == "/etc/exim4/postbell/addresses"
    assert made.files[0].text == "alice@example.org\na.b/c|d@example.org\nall.example\n"
    assert "lsearch{/etc/exim4/postbell/addresses}" in made.files[1].text
    assert made.commands[0] == "chown -R postbell /etc/exim4/postbell"
    assert made.commands[-1] == "ln -sfn /etc/exim4 /var/lib/postbell/mta/exim"


@pytest.mark.parametrize("recipe", [dovecot.recipe, opensmtpd.recipe])
def test_others_are_noted_so_that_postbell_can_say_what_to_run(recipe):
    made = recipe(KEPT)
    assert made.commands[-1].startswith("ln -sfn /etc")
    assert "Run it again after users or addresses have" in "".join(made.notes)


def test_over_tcp_the_address_is_written_as_each_server_wants_it():
    site = Site(lmtp=TcpAddress("::1", 24), addresses=())
    assert "postbell:inet:[::1]:24\n" in postfix.transport(site).files[0].text
    assert "  hosts = ::1\n  port = 24\n" in exim.recipe(site).files[2].text


def test_dovecot_matches_addresses_details_and_domains():
    script = dovecot.recipe(SITE).files[0].text
    assert '"alice@example.org", "alice+*@example.org"' in script
    assert '"*@all.example"' in script


def test_the_directory_knows_whom_a_copy_is_for():
    book = Book([User(1, "alice")], [("alice@example.org", 1)])
    found = resolve(f"alice+work=example.org@{COPY_DOMAIN}", book)
    assert (found.user, found.detail) == ("alice", "work")
    assert resolve(copy_address("alice@example.org"), book).user == "alice"
    for address in (f"bob=example.org@{COPY_DOMAIN}", f"alice@{COPY_DOMAIN}", f"a=b=other.example@{COPY_DOMAIN}"):
        with pytest.raises(UnknownUserError):
            resolve(address, book)


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


def test_opensmtpd_includes_the_rules_once_and_first_also_in_an_empty_file(tmp_path):
    main = tmp_path / "smtpd.conf"
    include = opensmtpd.recipe(SITE, directory=str(tmp_path)).commands[0]
    line = f'include "{tmp_path}/smtpd.postbell.conf"\n'
    for before in ("", "listen on lo\n"):
        main.write_text(before)
        for _ in range(2):
            subprocess.run(["sh", "-euc", include], check=True)
            assert main.read_text() == f"{line}{before}" + ("" if before else "\n")
    main.unlink()
    assert subprocess.run(["sh", "-euc", include], check=False, capture_output=True).returncode, "none is made"
    assert not main.exists()


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
