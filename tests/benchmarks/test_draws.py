import numpy as np
import pytest

from benchmarks.draws import Curve, draw_pairs
from halluscope.detector.labelled import check_labelled
from halluscope.records import as_pairs
from tests.benchmarks.named import named_corpus


@pytest.fixture
def curve(lm, tmp_path):
    return Curve(named_corpus(lm, tmp_path, "cities", 30), (4, 8, 16, 100), 2)


def uneven():
    """Groups with two true answers, with one of each kind, and with one invented answer."""
    records = []
    for number in range(30):
        labels = ((False, False), (True, False), (True,))[number % 3]
        records += [
            {"prompt": f"{number}?", "answer": f"{number} {place}", "hallucinated": label}
            for place, label in enumerate(labels)
        ]
    return check_labelled(as_pairs(records), None, None)


def test_a_pair_is_a_true_and_an_invented_answer():
    labelled = uneven()
    pairs = draw_pairs(labelled, np.arange(len(labelled.pairs)), seed=0)
    assert len(pairs) == labelled.hallucinated.sum()  # of the rarer kind none is left over
    assert not labelled.hallucinated[pairs[:, 0]].any()
    assert labelled.hallucinated[pairs[:, 1]].all()
    assert len(set(pairs.ravel())) == pairs.size
    together = [true for true, false in pairs if labelled.groups[true] == labelled.groups[false]]
    assert len(together) == 10  # every group that has both
    assert not np.array_equal(pairs, draw_pairs(labelled, np.arange(len(labelled.pairs)), seed=1))


def test_only_given_rows_are_drawn():
    labelled = uneven()
    rows = np.arange(10, 30)
    assert set(draw_pairs(labelled, rows, seed=0).ravel()) <= set(rows)


def test_held_out_groups_are_in_no_draw(curve):
    groups, y = curve.corpus.labelled.groups, curve.corpus.labelled.hallucinated
    learned_from, test = curve.split
    assert set(learned_from) | set(test) == set(range(60))
    for drawn in curve.drawn:
        assert not set(groups[drawn.part.rows]) & set(groups[test])
        assert len(drawn.part.rows) == 2 * drawn.size
        assert y[drawn.part.rows].sum() == drawn.size


def test_smaller_draws_lie_in_larger_ones_and_draws_differ(curve):
    rows = {(drawn.size, drawn.draw): set(drawn.part.rows) for drawn in curve.drawn}
    assert set(rows) == {(size, draw) for size in (4, 8, 16) for draw in (0, 1)}
    for draw in (0, 1):
        assert rows[4, draw] < rows[8, draw] < rows[16, draw]
    assert rows[8, 0] != rows[8, 1]


def test_sizes_that_a_corpus_reaches(curve, lm, tmp_path):
    assert [curve.reached(size) for size in curve.sizes] == [True, True, True, False]
    few = Curve(named_corpus(lm, tmp_path, "few", 30), (2, 4), 2)
    assert not few.reached(2)  # two questions cannot fill the detector's four folds
    assert few.reached(4)


def test_every_set_has_its_own_path(curve):
    paths = {curve.path(method, drawn) for method in ("halluscope", "stack") for drawn in curve.drawn}
    assert len(paths) == 2 * len(curve.drawn)
