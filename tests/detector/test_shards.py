import numpy as np
import pytest

from halluscope.detector.shards import Shards


def test_what_is_there_is_not_computed_again(tmp_path):
    shards, done = Shards(tmp_path / "run" / "a"), []
    for turn in range(2):
        found = shards.get("part-0", lambda turn=turn: np.full(3, turn), lambda: done.append(1))
        assert found.tolist() == [0, 0, 0]
    assert done == [1]
    assert shards.get("part-1", lambda: np.ones(1), list).tolist() == [1]


def test_what_fails_leaves_nothing(tmp_path):
    shards = Shards(tmp_path)
    with pytest.raises(ZeroDivisionError):
        shards.get("part-0", lambda: np.full(3, 1 // 0), list)
    assert not list(tmp_path.iterdir())


def test_without_a_folder_all_is_computed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shards = Shards()
    assert [shards.get("part-0", lambda turn=turn: np.full(1, turn), list)[0] for turn in range(2)] == [0, 1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kept", [b"", b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', ", b"not an array at all"])
def test_what_was_cut_short_is_computed_anew(tmp_path, kept):
    shards = Shards(tmp_path)
    shards.get("part-0", lambda: np.ones(3), list)
    (tmp_path / "part-0.npy").write_bytes(kept)
    assert shards.get("part-0", lambda: np.full(3, 2.0), list).tolist() == [2, 2, 2]
    assert np.load(tmp_path / "part-0.npy").tolist() == [2, 2, 2]
