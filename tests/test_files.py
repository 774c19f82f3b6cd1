import hashlib
import os
import stat
from pathlib import Path

import pytest

from halluscope.errors import InputError
from halluscope.files import file_sha256, folder_written_whole, replaceable, written_whole


def test_a_file_takes_the_place_of_another(tmp_path):
    path = tmp_path / "new" / "results.json"
    for text in ("old", "new"):
        with written_whole(path) as unfinished:
            assert unfinished.suffix == ".json"
            unfinished.write_text(text)
        assert path.read_text() == text
    assert [file.name for file in path.parent.iterdir()] == ["results.json"]


def test_what_fails_leaves_everything_as_it_was(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("old")

    def fail():
        with written_whole(path) as unfinished:
            unfinished.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_links_are_written_through_and_devices_are_refused(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target")
    with written_whole(link) as unfinished:
        unfinished.write_text("new")
    assert link.is_symlink()
    assert (tmp_path / "target").read_text() == "new"
    with (
        pytest.raises(InputError, match="/dev/null: it is not a plain file"),
        written_whole(Path("/dev/null")),
    ):
        raise AssertionError


def test_links_in_a_circle_are_refused(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(link)
    with pytest.raises(InputError, match=r"cannot write .*link: "):
        replaceable(link)
    assert link.is_symlink()


def test_the_file_may_be_read_by_whom_the_user_allows(tmp_path):
    (tmp_path / "plain").write_text("")
    with written_whole(tmp_path / "whole") as unfinished:
        unfinished.write_text("")
    assert stat.S_IMODE((tmp_path / "whole").stat().st_mode) == stat.S_IMODE(
        (tmp_path / "plain").stat().st_mode
    )


def test_a_file_s_digest_is_of_all_that_it_holds(tmp_path):
    path = tmp_path / "large"
    content = bytes(range(256)) * 9000
    path.write_bytes(content)
    assert file_sha256(path) == hashlib.sha256(content).hexdigest()
    assert file_sha256(path, "before") == hashlib.sha256(b"before" + content).hexdigest()


def test_a_pipe_without_a_name_is_refused():
    reading, writing = os.pipe()
    try:
        with pytest.raises(InputError, match="it is not a plain file"):
            replaceable(Path(f"/dev/fd/{writing}"))
    finally:
        os.close(reading)
        os.close(writing)


def test_a_folder_takes_the_place_of_another_or_leaves_it(tmp_path):
    path = tmp_path / "new" / "folder"
    for text in ("old", "new"):
        with folder_written_whole(path) as fresh:
            (fresh / text).write_text(text)
        assert [file.name for file in path.iterdir()] == [text]
        assert stat.S_IMODE(path.stat().st_mode) == 0o755

    def fail():
        with folder_written_whole(path) as fresh:
            (fresh / "half").write_text("")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [file.name for file in path.iterdir()] == ["new"]
    assert list(path.parent.iterdir()) == [path]
