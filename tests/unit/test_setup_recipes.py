from __future__ import annotations

import shlex

import pytest

from bridge.directory import COPY_DOMAIN, Directory, User
from bridge.errors import ConfigurationError, UnknownUserError
from bridge.setup import dovecot, exim, opensmtpd, postfix
from bridge.setup.recipe import Site, copy_address

SITE = Site(
    lmtp="unix:/run/postbell/lmtp",
    smtp="127.0.0.1:2525",
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
        recipe(Site(lmtp="", addresses=("alice@example.org",)))


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
@pytest.mark.parametrize("address", ["a b@example.org", "a'b\n@example.org", "ä@example.org", '"a"@b.example', "alice"])
def test_an_address_that_would_break_a_configuration_is_left_out_and_named(recipe, address):
    made = recipe(Site(lmtp=SITE.lmtp, smtp=SITE.smtp, addresses=(address, "bob@example.org")))
    assert made.notes[-1] == f"Left out, being more than plain ASCII: {address!a}."
    assert not any(address in file.text for file in made.files)
    assert not any(address in command for command in made.commands)


def test_quotes_in_an_address_stay_quotes_in_the_shell():
    where = Site(lmtp="", smtp="127.0.0.1:2525", addresses=("o'brien.x@example.org",))
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
    site = Site(lmtp="[::1]:24", addresses=())
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
