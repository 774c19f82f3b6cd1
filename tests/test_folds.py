import numpy as np
import pytest

from halluscope.errors import InputError
from halluscope.folds import group_codes, grouped_folds

GROUPS = np.repeat([f"question {number}" for number in range(12)], 3)
LABELS = np.tile([True, False, False], 12)


def test_folds_partition_the_rows_and_split_no_group():
    folds = grouped_folds(LABELS, GROUPS, 4, seed=1)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(36))
    for train, test in folds:
        assert not set(GROUPS[train]) & set(GROUPS[test])
        assert len(train) + len(test) == 36
        assert LABELS[test].mean() == pytest.approx(1 / 3)


def test_folds_depend_on_the_seed_alone():
    def tests(seed):
        return [test.tolist() for _, test in grouped_folds(LABELS, GROUPS.tolist(), 4, seed)]

    assert tests(1) == tests(1)
    assert tests(1) != tests(2)


def test_groups_are_numbered_in_order_of_appearance_whatever_their_type():
    assert group_codes(["b", 1, "b", ("a", 2), "1"]).tolist() == [0, 1, 0, 2, 3]


@pytest.mark.parametrize(
    ("y", "groups", "n_folds", "problem"),
    [
        ([True, False] * 3, [0] * 6, 2, "all 6 answers are of one group.*'group'"),
        ([True, False] * 3, [0, 0, 1, 1, 2, 2], 5, "3 groups cannot fill 5 folds: use at most 3"),
        ([True] * 6, range(6), 2, "none of the 6 answers is truthful"),
        ([False] * 6, range(6), 2, "none of the 6 answers is hallucinated"),
        ([True] + [False] * 9, range(10), 5, "hallucinated answers occur in 1 groups only"),
        ([True, False] * 3, range(6), 1, "at least 2"),
        ([True, False], [0], 2, "2 labels but 1 groups"),
    ],
)
def test_impossible_folds_are_refused_with_a_way_out(y, groups, n_folds, problem):
    with pytest.raises(InputError, match=problem):
        grouped_folds(y, groups, n_folds)


def test_a_part_of_one_class_is_refused(monkeypatch):
    class Unlucky:
        def __init__(self, *_, **__): ...

        def split(self, *_):
            yield np.array([1, 2, 3]), np.array([0])

    monkeypatch.setattr("halluscope.folds.StratifiedGroupKFold", Unlucky)
    with pytest.raises(InputError, match="the test part of fold 1 of 2 holds no truthful answer"):
        grouped_folds([True, False, True, False], range(4), 2)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_that_cannot_be(seed):
    with pytest.raises(InputError, match=f"parameter 'seed' must be .* not {seed}"):
        grouped_folds([0, 1, 0, 1], [1, 2, 3, 4], 2, seed)
