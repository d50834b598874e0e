"""Certificates as files: each thing that can be wrong with them is found."""

from __future__ import annotations

import ssl
import time
from dataclasses import replace

import pytest

from bridge.doctor.judge import certificates as judging
from bridge.doctor.judge.access import SystemUser
from bridge.doctor.look import certificates
from tests.support.configured import configured
from tests.support.findings import answer, broken, found
from tests.support.issued import issue

NOW_MS = time.time_ns() // 1_000_000
HOST = "bell.example.org"


@pytest.fixture
def judged(tmp_path):
    """The findings over a configuration with this certificate at the broker."""

    def run(chain, *, key=None, public=f"mqtts://{HOST}:8883", runs_as=None, **sections):
        broker = {"tls_cert": str(chain), "tls_key": str(key or chain.with_suffix(".key")), "public_url": public}
        settings = configured(state_dir=tmp_path, broker=broker, **sections)
        return judging.judge(certificates.look(settings), runs_as=runs_as, now_ms=NOW_MS)

    return run


def test_what_is_right_is_fine(judged, tmp_path):
    chain = issue(HOST).write(tmp_path)
    assert {finding.ok for finding in judged(chain)} == {True}
    wild = issue("*.example.org").write(tmp_path, "wild")
    assert {finding.ok for finding in judged(wild)} == {True}
    address = issue("192.0.2.7").write(tmp_path, "address")
    assert {finding.ok for finding in judged(address, public="mqtts://192.0.2.7")} == {True}


def test_without_one_there_is_nothing_to_judge(tmp_path):
    settings = configured(state_dir=tmp_path)
    assert {finding.ok for finding in judging.judge(certificates.look(settings), runs_as=None, now_ms=0)} == {None}


def test_a_file_that_is_not_there_or_has_no_certificate(judged, tmp_path):
    assert "No such file" in found(judged(tmp_path / "none.pem"), "certificate.readable").problem
    (tmp_path / "empty.pem").write_text("nothing")
    assert "no PEM certificate" in found(judged(tmp_path / "empty.pem"), "certificate.readable").problem
    findings = judged(tmp_path / "none.pem", mqtt={"url": "mqtts://x", "ca_file": str(tmp_path / "empty.pem")})
    assert sum(finding.ok is False for finding in findings) == 2
    findings = judged(tmp_path / "none.pem", mqtt={"url": "mqtts://x", "ca_file": str(tmp_path / "no-ca.pem")})
    assert sum(finding.ok is False for finding in findings) == 2


def test_a_file_that_the_service_may_not_read(judged, tmp_path):
    chain = issue(HOST).write(tmp_path)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 1 == 0:
            break
    else:
        chain.chmod(0o600)
    finding = found(judged(chain, runs_as=SystemUser(65_534, "nobody")), "certificate.readable")
    assert "nobody, who runs the service, cannot read it" in finding.problem


def test_what_this_user_may_not_read_is_not_judged(judged, tmp_path):
    (seen,) = certificates.look(configured(state_dir=tmp_path, broker={"tls_cert": str(issue(HOST).write(tmp_path))}))
    findings = judging.judge([replace(seen, error="Permission denied")], runs_as=None, now_ms=NOW_MS)
    assert {finding.ok for finding in findings} == {None}
    findings = judging.judge([replace(seen, fits=None, key_error="")], runs_as=None, now_ms=NOW_MS)
    assert answer(findings, "certificate.key") is None
    assert (
        broken(judged(tmp_path / "cert.pem", mqtt={"url": "mqtts://x", "ca_file": str(tmp_path / "cert.pem")})) == set()
    )


@pytest.mark.parametrize(
    ("begins", "ends", "told"),
    [(-100, -10, "it ended"), (-80, 7, "it ends in"), (2, 90, "not valid yet")],
)
def test_a_certificate_out_of_date(judged, tmp_path, begins, ends, told):
    chain = issue(HOST, begins_days=begins, ends_days=ends).write(tmp_path)
    assert told in found(judged(chain), "certificate.dates").problem


def test_another_certificates_key(judged, tmp_path):
    chain = issue(HOST).write(tmp_path)
    other = issue(HOST).write(tmp_path, "other").with_suffix(".key")
    finding = found(judged(chain, key=other), "certificate.key")
    assert "broker.tls_key: it is not the key of broker.tls_cert" in finding.problem


def test_a_key_that_cannot_be_used(judged, tmp_path):
    chain = issue(HOST).write(tmp_path, passphrase=b"secret")
    assert "passphrase" in found(judged(chain), "certificate.key").problem
    (tmp_path / "cert.key").write_text("nothing")
    assert "no PEM private key" in found(judged(chain), "certificate.key").problem
    (tmp_path / "cert.key").unlink()
    assert "No such file" in found(judged(chain), "certificate.key").problem
    settings = configured(state_dir=tmp_path, broker={"tls_cert": str(chain)})
    findings = judging.judge(certificates.look(settings), runs_as=None, now_ms=NOW_MS)
    assert "it is not set" in found(findings, "certificate.key").problem


@pytest.mark.parametrize("name", ["other.example.org", "*.example.com", "*.bell.example.org", "example.org"])
def test_a_certificate_for_another_host(judged, tmp_path, name):
    finding = found(judged(issue(name).write(tmp_path)), "certificate.names")
    assert f"it is for {name}, and broker.public_url says {HOST}" in finding.problem


def test_a_certificate_for_nobody(judged, tmp_path):
    assert "it is for nobody" in found(judged(issue().write(tmp_path)), "certificate.names").problem


def test_other_sections_have_hosts_as_well(tmp_path):
    chain = str(issue(HOST).write(tmp_path))
    sections = {name: {"tls_cert": chain, "tls_key": chain.replace(".pem", ".key")} for name in ("smtp", "http")}
    sections["smtp"]["hostname"] = "mx.example.org"
    sections["http"]["public_url"] = "https://web.example.org"
    findings = judging.judge(certificates.look(configured(state_dir=tmp_path, **sections)), runs_as=None, now_ms=NOW_MS)
    wrong = [finding.problem for finding in findings if finding.ok is False]
    assert len(wrong) == 2
    assert "smtp.hostname says mx.example.org" in wrong[0]
    assert "http.public_url says web.example.org" in wrong[1]
    sections["http"]["public_url"] = "http://web.example.org"
    sections["smtp"]["hostname"] = ""
    findings = judging.judge(certificates.look(configured(state_dir=tmp_path, **sections)), runs_as=None, now_ms=NOW_MS)
    assert broken(findings) == set()


def test_a_chain_with_a_gap(judged, tmp_path):
    root = issue()
    between = issue("An Intermediate", by=root, fetchable=True)
    leaf = issue(HOST, by=between, fetchable=True)
    finding = found(judged(leaf.write(tmp_path)), "certificate.chain")
    assert "the certificate of CN=An Intermediate is missing" in finding.problem
    whole = leaf.write(tmp_path, behind=between.pem + root.pem)
    assert answer(judged(whole), "certificate.chain") is True


def test_a_chain_to_an_authority_that_is_trusted_here(judged, tmp_path, monkeypatch):
    root = issue()
    leaf = issue(HOST, by=root).write(tmp_path)
    monkeypatch.setattr(certificates, "BUNDLES", (str(tmp_path / "none"), str(root.write(tmp_path, "root"))))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: type("Paths", (), {"cafile": None}))
    certificates._trusted.cache_clear()
    assert answer(judged(leaf), "certificate.chain") is True
    monkeypatch.setattr(certificates, "BUNDLES", ())
    certificates._trusted.cache_clear()
    assert answer(judged(leaf), "certificate.chain") is None
    certificates._trusted.cache_clear()
