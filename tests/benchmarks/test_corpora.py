"""Samples of a corpus keep groups whole."""

from benchmarks.corpora import whole_groups
from halluscope.records import Pair


def test_whole_groups():
    pairs = [Pair(f"question {i // 3}", f"answer {i}") for i in range(90)]
    chosen = whole_groups(pairs, 20, seed=0)
    assert len(chosen) == 21
    assert len({pair.prompt for pair in chosen}) == 7
    assert chosen == whole_groups(pairs, 20, seed=0)
    assert whole_groups(pairs, 1000, seed=0) != pairs  # shuffled, and all of them
    assert len(whole_groups(pairs, 1000, seed=0)) == 90
