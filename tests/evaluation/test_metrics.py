import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import roc_auc_score

from halluscope.errors import InputError
from halluscope.evaluation.metrics import METRICS, auprc, aurc, auroc, brier, ece, tpr_at_5fpr


def test_metrics_have_the_names_of_the_results_file():
    assert list(METRICS) == ["auroc", "auprc", "brier", "ece", "tpr_at_5fpr", "aurc"]


def test_hand_made_values():
    y = [False, False, True, True]
    p = [0.1, 0.4, 0.35, 0.8]
    assert auroc(y, p) == pytest.approx(0.75)
    assert auprc(y, p) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert brier(y, p) == pytest.approx((0.01 + 0.16 + 0.65**2 + 0.04) / 4)
    assert ece(y, p) == pytest.approx((0.1 + 0.4 + 0.65 + 0.2) / 4)  # each in a bin of its own
    assert tpr_at_5fpr(y, p) == pytest.approx(0.5)
    assert aurc(y, p) == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4)  # trusted: true, false, true, false


def test_ece_pools_the_answers_of_a_bin():
    # 0.70 and 0.72 share the bin from 10/15 to 11/15: their errors of opposite sign cancel
    assert ece([True, False], [0.70, 0.72]) == pytest.approx(abs(0.30 - 0.72) / 2)
    assert ece([True, False], [1.0, 0.0]) == 0


def test_auroc_is_never_flipped():
    assert auroc([False, False, True, True], [0.9, 0.8, 0.2, 0.1]) == 0


def test_constant_scores_are_chance_and_catch_nothing():
    assert auroc([False, True], [0.5, 0.5]) == 0.5
    assert tpr_at_5fpr([False, True], [0.5, 0.5]) == 0
    assert aurc([False, True, False], [0.5, 0.5, 0.5]) == pytest.approx(1 / 3)


def test_tpr_counts_exactly_five_percent_as_permitted_and_does_not_interpolate():
    y = np.r_[np.zeros(20, bool), np.ones(4, bool)]
    one_false = np.r_[np.linspace(0, 0.4, 19), 0.8, [0.9, 0.85, 0.7, 0.1]]
    assert tpr_at_5fpr(y, one_false) == pytest.approx(0.75)
    two_false = np.r_[np.linspace(0, 0.4, 18), 0.8, 0.8, [0.9, 0.85, 0.7, 0.1]]
    assert tpr_at_5fpr(y, two_false) == pytest.approx(0.5)


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(np.int64, st.integers(4, 40), elements=st.integers(0, 6)), st.randoms())
def test_auroc_agrees_with_scikit_learn_with_ties(score, random):
    y = np.array([random.random() < 0.5 for _ in score])
    y[:2] = True, False
    assert auroc(y, score) == pytest.approx(roc_auc_score(y, score))


@pytest.mark.parametrize(
    ("y", "p", "problem"),
    [
        ([True, True], [0.1, 0.2], "all 2 answers are hallucinated"),
        ([False, False], [0.1, 0.2], "not hallucinated"),
        ([True, False], [0.1], "one score for each label"),
        ([True, False], [0.1, np.nan], "score 1 is not a finite number"),
        ([True, False], [0.1, 7.0], "no probabilities"),
    ],
)
def test_unusable_input_is_named(y, p, problem):
    with pytest.raises(InputError, match=problem):
        brier(y, p)
