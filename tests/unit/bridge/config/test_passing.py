"""What may pass by itself is started again; what only a person can mend is not."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from bridge.config import passing
from bridge.daemon import runfile
from bridge.errors import ConfigurationError, PostbellError


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EMFILE, errno.ENOMEM, errno.EAGAIN, errno.EIO])
def test_a_shortage_may_pass(code):
    error = passing.judged(OSError(code, "x"), "text")
    assert (type(error), str(error)) == (PostbellError, "text")


@pytest.mark.parametrize("code", [errno.ENOENT, errno.EACCES, errno.ENOTDIR, errno.EROFS])
def test_what_is_wrong_with_a_path_is_for_a_person(code):
    assert type(passing.judged(OSError(code, "x"), "text")) is ConfigurationError


@pytest.mark.parametrize(
    ("code", "kind"), [(errno.ENOSPC, PostbellError), (errno.EROFS, runfile.UnusableDirectoryError)]
)
def test_a_full_disk_does_not_end_the_service_for_good(tmp_path, monkeypatch, code, kind):
    def refuse(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "open", refuse)
    with (
        pytest.raises(PostbellError, match=f"^state_dir = .*: {os.strerror(code)}") as caught,
        runfile.only_one(tmp_path, runfile.BRIDGE),
    ):
        pass
    assert type(caught.value) is kind
