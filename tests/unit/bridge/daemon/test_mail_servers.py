"""Mail servers of this machine: what their programs say of them, however those behave."""

from __future__ import annotations

import pytest

from bridge.daemon import mail_servers


@pytest.fixture
def postconf(tmp_path, monkeypatch):
    """Makes the only postconf that there is."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(mail_servers, "PLACES", "")

    def make(script):
        (tmp_path / "postconf").write_text(script)
        (tmp_path / "postconf").chmod(0o755)

    return make


def test_what_postfix_says_of_itself(postconf):
    postconf('#!/bin/sh\necho "$@"\n')
    assert mail_servers.postconf("/etc/p", "-h", "mail_owner") == "-c /etc/p -h mail_owner"


@pytest.mark.parametrize("script", ["#!/bin/sh\necho no; exit 1\n", "#!/no/such/shell\n", "#!/bin/sh\nexec sleep 60\n"])
def test_of_a_postfix_that_cannot_be_asked_nothing_is_known(postconf, monkeypatch, script):
    monkeypatch.setattr(mail_servers, "ANSWERS_S", 0.5)
    postconf(script)
    assert mail_servers.postconf("/etc/p", "-h", "mail_owner") == ""


def test_marks_are_links_of_known_names(tmp_path):
    assert list(mail_servers.marked(tmp_path / "mta")) == []
    (tmp_path / "mta").mkdir()
    (tmp_path / "mta" / "exim").symlink_to("/etc/exim4")
    (tmp_path / "mta" / "sendmail").symlink_to("/etc/mail")
    (tmp_path / "mta" / "postfix").touch()
    assert list(mail_servers.marked(tmp_path / "mta")) == [("exim", "/etc/exim4")]
