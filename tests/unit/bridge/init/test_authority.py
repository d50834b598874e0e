from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from bridge.init import authority

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMES = ("mail.example.org", "localhost", "192.0.2.7", "2001:db8::1")


@pytest.fixture(scope="module")
def ours():
    return authority.make_authority("Postbell CA of mail.example.org", now=NOW)


@pytest.fixture(scope="module")
def server(ours):
    return authority.make_server(ours, NAMES, now=NOW)


def verified(pair, issuing, name, at):
    """Whether a strict verifier, which is not ours, takes the chain for a name at a time."""
    store = Store([x509.load_pem_x509_certificate(issuing.certificate)])
    subject = x509.DNSName(name)
    verifier = PolicyBuilder().store(store).time(at).build_server_verifier(subject)
    try:
        verifier.verify(x509.load_pem_x509_certificate(pair.certificate), [])
    except VerificationError:
        return False
    return True


def test_a_verifier_takes_it_for_its_names_while_it_lasts(ours, server):
    assert verified(server, ours, "mail.example.org", NOW)
    assert verified(server, ours, "mail.example.org", NOW - timedelta(minutes=59)), "clocks differ"
    assert not verified(server, ours, "other.example.org", NOW)
    assert not verified(server, ours, "mail.example.org", NOW + timedelta(days=398))
    assert not verified(server, authority.make_authority("another", now=NOW), "mail.example.org", NOW)


def test_what_it_says_of_itself(ours, server):
    facts = authority.facts(server.certificate)
    assert facts.names == NAMES
    assert facts.issuer == "CN=Postbell CA of mail.example.org"
    assert facts.ends == NOW + timedelta(days=397)
    assert len(facts.sha256) == 32 * 3 - 1
    assert authority.facts(ours.certificate).ends == NOW + timedelta(days=3653)
    assert authority.facts(ours.certificate).names == ()


def test_it_is_due_when_a_third_is_left(server):
    facts = authority.facts(server.certificate)
    assert not facts.due(NOW + timedelta(days=264))
    assert facts.due(NOW + timedelta(days=265))


def test_it_does_not_outlive_its_authority(ours):
    late = NOW + timedelta(days=3600)
    last = authority.make_server(ours, NAMES, now=late)
    assert authority.facts(last.certificate).ends == authority.facts(ours.certificate).ends


def test_a_long_name_is_cut_where_a_common_name_ends():
    name = "a" * 63 + ".example.org"
    ours = authority.make_authority(name, now=NOW)
    assert authority.facts(authority.make_server(ours, (name,), now=NOW).certificate).names == (name,)


def test_a_certificate_and_the_key_of_another_do_not_belong_together(ours, server):
    assert authority.belong_together(server.certificate, server.key)
    assert not authority.belong_together(server.certificate, ours.key)
    other = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert not authority.belong_together(server.certificate, other)
    with pytest.raises(ValueError, match=r"."):
        authority.belong_together(b"nothing", server.key)


def test_who_vouches_for_what(ours, server):
    assert authority.vouched_for(server.certificate, ours.certificate)
    assert not authority.vouched_for(server.certificate, authority.make_authority("another", now=NOW).certificate)
    assert not authority.vouched_for(b"nothing", ours.certificate)


def test_a_star_covers_one_label():
    assert authority.covers(("*.example.org",), "mail.example.org")
    assert authority.covers(("mail.example.org",), "mail.example.org")
    assert not authority.covers(("*.example.org",), "a.mail.example.org")
    assert not authority.covers(("*.example.org",), "example.org")
    assert not authority.covers(("*.",), "homeserver")
