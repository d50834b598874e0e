"""Disk and certificates as they are measured."""

from __future__ import annotations

import os

from bridge.metrics import disk
from bridge.metrics.expiry import Expiries
from tests.support.certificates import BEGIN, self_signed


def test_the_disk_and_the_files_of_the_database_are_measured(tmp_path):
    (tmp_path / "postbell.db").write_bytes(b"x" * 1000)
    (tmp_path / "postbell.db-wal").write_bytes(b"x" * 24)
    measured = disk.measure(tmp_path / "postbell.db", spool=77, spool_files=2)
    assert (measured.database, measured.spool, measured.spool_files) == (1024, 77, 2)
    assert 0 <= measured.free <= measured.size
    assert measured.size > 1024


def test_a_disk_that_cannot_be_looked_at_has_no_readings(tmp_path):
    assert disk.measure(tmp_path / "gone" / "postbell.db", spool=0, spool_files=0) is None


def test_the_end_of_a_certificate_is_read_again_when_its_file_changed(tmp_path, monkeypatch):
    chain, _ = self_signed(tmp_path)
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    expiries = Expiries({"smtp": chain, "http": tmp_path / "gone.pem", "mqtts": broken})
    end = BEGIN.replace(year=2126).timestamp()
    assert expiries.ends_s() == {"smtp": end}
    monkeypatch.setattr("cryptography.x509.load_pem_x509_certificate", None)
    assert expiries.ends_s() == {"smtp": end}, "nothing is read twice"
    monkeypatch.undo()
    chain.write_text("no certificate any more")
    os.utime(chain, ns=(1, 1))
    assert expiries.ends_s() == {}
