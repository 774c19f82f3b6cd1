import numpy as np
import pandas as pd
import pytest

from halluscope.detector.labelled import check_labelled, question_marks, training_digest
from halluscope.errors import InputError
from halluscope.records import as_pairs

PAIRS = as_pairs([("a?", "b."), ("a?", "c."), ("d?", "e.")])


@pytest.mark.parametrize("labels", [[True, False, True], [1, 0, 1], np.array([1.0, 0.0, 1.0])])
def test_labels_in_any_form(labels):
    labelled = check_labelled(PAIRS, labels, None)
    assert labelled.hallucinated.tolist() == [True, False, True]
    assert labelled.groups.tolist() == ["a?", "a?", "d?"]


def test_given_groups_count_more_than_the_records():
    assert check_labelled(PAIRS, [1, 0, 1], [7, 8, 7]).groups.tolist() == ["7", "8", "7"]


def test_a_group_is_kept_whole_and_makes_no_other_larger():
    long = "x" * 100_000
    groups = check_labelled(PAIRS, [1, 0, 1], ["a", "a\0", long]).groups
    assert groups.tolist() == ["a", "a\0", long]  # NumPy's strings lose what they are filled up with
    assert groups.nbytes < 100


@pytest.mark.parametrize(
    ("pairs", "labels", "groups", "message"),
    [
        ([], None, None, "no pairs"),
        (PAIRS, None, None, r"pair 1: the label must be true .* not None"),
        (PAIRS, [1, 0, "yes"], None, r"pair 3: .*'yes'"),
        (PAIRS, [1, float("nan"), 0], None, r"pair 2: .*nan"),
        (PAIRS, [1, 0], None, "3 pairs but 2 labels"),
        (PAIRS, [1, 0, 1], ["x"], "3 pairs but 1 groups"),
        (PAIRS, [1, 0, 1], ["x", np.nan, "y"], "pair 2: the group is missing"),
        (PAIRS, [1, 0, 1], ["x", "y", pd.NA], "pair 3: the group is missing"),
        (PAIRS, [1, 0, 1], [None, "y", "z"], "pair 1: the group is missing"),
        (PAIRS, [1, 1, 1], None, "all 3 pairs are labelled hallucinated"),
        (PAIRS, [0, 0, 0], None, "all 3 pairs are labelled not hallucinated"),
        (
            as_pairs([("a", "b"), ("c", "d"), ("a", "b")]),
            [1, 0, 0],
            None,
            "pair 1 and pair 3 are the same pair",
        ),
    ],
)
def test_what_cannot_be_learned_from(pairs, labels, groups, message):
    with pytest.raises(InputError, match=message):
        check_labelled(pairs, labels, groups)


def test_the_same_pair_twice_with_one_label_is_no_conflict():
    check_labelled([*PAIRS, PAIRS[0]], [1, 0, 1, 1], None)


def test_digest_changes_with_everything_that_is_learned_from():
    digests = {
        training_digest(check_labelled(pairs, labels, groups))
        for pairs, labels, groups in [
            (PAIRS, [1, 0, 1], None),
            (PAIRS, [1, 1, 0], None),
            (PAIRS, [1, 0, 1], [1, 2, 3]),
            (PAIRS[::-1], [1, 0, 1], None),
            (as_pairs([("a?", "b."), ("a?", "c."), ("d?", "f.")]), [1, 0, 1], None),
        ]
    }
    assert len(digests) == 5
    assert training_digest(check_labelled(PAIRS, [1, 0, 1], None)) in digests


def test_marks_know_a_question_whatever_the_answer_and_a_bare_statement_by_itself():
    marks = question_marks(
        as_pairs(
            [
                {"prompt": "a?", "answer": "x"},
                {"prompt": "a?", "answer": "y"},
                {"prompt": "a?", "answer": "x", "context": "c"},
                {"prompt": "", "answer": "x"},
                {"prompt": "", "answer": "y"},
            ]
        )
    )
    assert marks[0] == marks[1]
    assert len(set(marks)) == 4
    assert all(len(mark) == 12 for mark in marks)
