from __future__ import annotations

import grp
import os
import stat
from datetime import UTC, datetime, timedelta

import pytest

from bridge.errors import ConfigurationError
from bridge.init import authority, certificates
from bridge.init.certificates import CertificateError, Papers

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMES = ("mail.example.org", "localhost")


@pytest.fixture
def papers(tmp_path):
    (tmp_path / "tls").mkdir()
    return Papers.within(tmp_path / "tls")


def facts(papers):
    return authority.facts(papers.chain.read_bytes())


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def files(papers):
    folder = papers.authority.parent
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_authority_and_a_certificate_are_made_once(papers):
    assert certificates.ensure(papers, NAMES, group="", now=NOW)
    assert papers.is_local()
    assert {path.name: mode(path) for path in files(papers)} == {
        "ca.pem": 0o644,
        "ca.key": 0o600,
        "fullchain.pem": 0o644,
        "privkey.pem": 0o600,
    }
    assert authority.belong_together(papers.chain.read_bytes(), papers.key.read_bytes())
    before = files(papers)
    assert not certificates.ensure(papers, NAMES, group="", now=NOW + timedelta(days=30))
    assert files(papers) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_the_service_may_read_the_key_and_nobody_else(papers):
    certificates.ensure(papers, NAMES, group="nogroup", now=NOW)
    assert (mode(papers.key), papers.key.group(), papers.key.owner()) == (0o640, "nogroup", "root")
    assert (mode(papers.authority_key), papers.authority_key.group()) == (0o600, "root")
    certificates.renew(papers, host="", now=NOW, early=True)
    assert (mode(papers.key), papers.key.group(), papers.key.owner()) == (0o640, "nogroup", "root")


def test_a_further_name_makes_another_certificate_of_the_same_authority(papers):
    certificates.ensure(papers, NAMES, group="", now=NOW)
    before = papers.authority.read_bytes()
    assert certificates.ensure(papers, ("new.example.org",), group="", now=NOW)
    assert facts(papers).names == ("new.example.org", *NAMES)
    assert papers.authority.read_bytes() == before


def test_it_is_renewed_when_it_is_due_or_wanted_or_for_another_host(papers):
    certificates.ensure(papers, NAMES, group="", now=NOW)
    first = facts(papers)
    assert certificates.renew(papers, host=NAMES[0], now=NOW + timedelta(days=200), early=False) is None
    assert facts(papers) == first
    later = NOW + timedelta(days=300)
    renewed = certificates.renew(papers, host=NAMES[0], now=later, early=False)
    assert renewed == facts(papers)
    assert (renewed.names, renewed.ends) == (NAMES, later + timedelta(days=397))
    assert certificates.renew(papers, host="new.example.org", now=later, early=False).names == (
        *NAMES,
        "new.example.org",
    )
    assert certificates.renew(papers, host="", now=later, early=True).sha256 != renewed.sha256
    assert papers.is_local()


def test_one_from_elsewhere_is_not_renewed(papers):
    theirs = authority.make_server(authority.make_authority("theirs", now=NOW), NAMES, now=NOW)
    papers.chain.write_bytes(theirs.certificate)
    papers.key.write_bytes(theirs.key)
    with pytest.raises(CertificateError, match=r"not signed by a local CA.*postbell certificate install CHAIN KEY"):
        certificates.renew(papers, host="", now=NOW, early=True)


def test_an_authority_without_its_key_is_told_and_stays(papers):
    certificates.ensure(papers, NAMES, group="", now=NOW)
    papers.authority_key.unlink()
    before = files(papers)
    with pytest.raises(CertificateError, match=r"ca\.pem without its key; put the key back"):
        certificates.renew(papers, host="", now=NOW, early=True)
    assert files(papers) == before


@pytest.fixture
def given(tmp_path):
    """A certificate and its key from elsewhere."""
    pair = authority.make_server(authority.make_authority("theirs", now=NOW), NAMES, now=NOW)
    (tmp_path / "c.pem").write_bytes(pair.certificate)
    (tmp_path / "k.pem").write_bytes(pair.key)
    return tmp_path / "c.pem", tmp_path / "k.pem"


def test_given_files_are_copied_when_they_differ(papers, given):
    assert certificates.install(papers, *given, host=NAMES[0], group="", now=NOW)
    assert (papers.chain.read_bytes(), papers.key.read_bytes()) == tuple(path.read_bytes() for path in given)
    assert mode(papers.key) == 0o600
    assert not certificates.install(papers, *given, host=NAMES[0], group="", now=NOW)
    assert not papers.is_local()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_the_first_one_is_for_the_group_of_the_folder(papers, given):
    os.chown(papers.key.parent, -1, grp.getgrnam("nogroup").gr_gid)
    certificates.install(papers, *given, host="", group="", now=NOW)
    assert (mode(papers.key), papers.key.group()) == (0o640, "nogroup")


def test_what_is_wrong_with_given_files_is_told(papers, given, tmp_path):
    chain, key = given

    def refused(chain, key, words, *, host=NAMES[0], now=NOW):
        with pytest.raises(ConfigurationError, match=words):
            certificates.install(papers, chain, key, host=host, group="", now=now)
        assert not papers.chain.exists()

    refused(tmp_path / "absent", key, "absent: No such file or directory; name a PEM file that this user may read")
    refused(key, chain, "not a certificate and its key without a password, as PEM")
    refused(chain, key, r"expired on 2027-04-02; renew it first", now=NOW + timedelta(days=397))
    refused(chain, key, "good for mail.example.org, localhost, and devices connect to x.example", host="x.example")
    other = tmp_path / "other.pem"
    other.write_bytes(authority.make_authority("other", now=NOW).key)
    refused(chain, other, "other.pem: not the key of .*c.pem")
