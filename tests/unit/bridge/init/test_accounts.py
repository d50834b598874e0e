from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from bridge.errors import ConfigurationError, PostbellError
from bridge.init.accounts import in_the_name_of

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")


def raising(error):
    def work():
        raise error

    return work


def test_without_a_name_we_do_it_ourselves():
    assert in_the_name_of("", os.getpid) == os.getpid()


@pytest.fixture
def open_to_all():
    """A folder that everybody may write; those of pytest are closed to other users."""
    folder = Path(tempfile.mkdtemp(prefix="postbell-accounts-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@ROOT
def test_what_is_made_belongs_to_the_account(open_to_all):
    def work():
        (open_to_all / "made").write_text("x")
        return [os.getuid(), os.environ["HOME"], str(Path.cwd())]

    uid, _, where = in_the_name_of("nobody", work)
    assert uid == (open_to_all / "made").stat().st_uid != 0
    assert where == "/"
    assert os.getuid() == 0
    assert (open_to_all / "made").stat().st_mode & 0o077 == 0


@ROOT
@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (ConfigurationError("mend it"), ConfigurationError, "mend it"),
        (PostbellError("it failed"), PostbellError, "it failed"),
        (KeyboardInterrupt(), PostbellError, "KeyboardInterrupt"),
        (
            ImportError("no x"),
            PostbellError,
            r"nobody cannot read the program \(no x\).*put it where everybody may read",
        ),
    ],
)
def test_what_went_wrong_is_told(error, kind, words):
    for account in ("nobody", "root"):
        with pytest.raises(kind, match=words.replace("nobody", account)) as raised:
            in_the_name_of(account, raising(error))
        assert type(raised.value) is kind


@ROOT
def test_a_child_that_is_killed_is_told():
    with pytest.raises(PostbellError, match="it was killed"):
        in_the_name_of("nobody", lambda: os.kill(os.getpid(), 9))


def test_an_account_that_is_not_there_is_told():
    with pytest.raises(ConfigurationError, match=r"no system user 'nobody-has-this-name'.*--run-as"):
        in_the_name_of("nobody-has-this-name", list)
