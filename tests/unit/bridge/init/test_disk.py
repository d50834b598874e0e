from __future__ import annotations

import os
import stat

import pytest

from bridge.config.permissions import FileMode
from bridge.errors import ConfigurationError
from bridge.init import disk
from bridge.init.disk import Content


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_files_are_there_with_their_modes_and_nothing_else(tmp_path):
    (tmp_path / "b").write_text("old")
    disk.write(Content(tmp_path / "a", b"1", 0o640), Content(tmp_path / "b", b"2", 0o600))
    assert {path.name: (path.read_bytes(), mode(path)) for path in tmp_path.iterdir()} == {
        "a": (b"1", 0o640),
        "b": (b"2", 0o600),
    }


def test_when_one_cannot_be_written_none_is(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        disk.write(Content(tmp_path / "a", b"1", 0o600), Content(tmp_path / "absent" / "b", b"2", 0o600))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_made_and_put_right(tmp_path):
    folder = tmp_path / "x" / "y"
    assert disk.make_folder(folder, FileMode(0o700))
    assert mode(folder) == 0o700
    assert not disk.make_folder(folder, FileMode(0o700))
    folder.chmod(0o777)
    assert disk.make_folder(folder, FileMode(0o700))
    assert mode(folder) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_a_folder_is_given_to_its_owner(tmp_path):
    folder = tmp_path / "x"
    folder.mkdir(mode=0o700)
    (folder / "run").mkdir()
    (folder / "run" / "file").touch()
    (folder / "link").symlink_to(tmp_path)
    assert disk.make_folder(folder, FileMode(0o700), user="nobody", group="nogroup")
    for path in (folder, folder / "run", folder / "run" / "file"):
        assert (path.owner(), path.group()) == ("nobody", "nogroup")
    assert tmp_path.owner() == "root"
    assert not disk.make_folder(folder, FileMode(0o700), user="nobody", group="nogroup")


def test_an_owner_who_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nobody-has-this-name.*--run-as"):
        disk.make_folder(tmp_path / "x", FileMode(0o700), user="nobody-has-this-name")


def test_what_was_there_gets_a_number_that_is_free(tmp_path):
    file = tmp_path / "c.toml"
    for text in ("first", "second"):
        file.write_text(text)
        aside = disk.put_aside(file)
        assert aside.read_text() == text
        file.unlink()
    assert aside.name == "c.toml.old-2"
