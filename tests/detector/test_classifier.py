import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

from halluscope.detector.classifier import VERDICT, SurfaceClassifier, fit_blend, fit_calibrator
from halluscope.folds import grouped_folds


def problem(n=240, signal=2.0, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.5
    X = rng.normal(size=(n, 8))
    X[:, 0] += signal * y
    return X, y, grouped_folds(y, range(n), 4)


@pytest.fixture(scope="module")
def fitted():
    X, y, folds = problem()
    return SurfaceClassifier().fit(X, y, folds)


def test_learns_and_says_so_out_of_fold(fitted):
    X, y, _ = problem(seed=1)
    probability = fitted.predict_proba(X)
    assert probability.shape == (len(X), 2)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert np.mean(fitted.predict(X) == y) > 0.75
    assert np.mean((fitted.out_of_fold_ >= 0.5) == problem()[1]) > 0.75


def test_out_of_fold_scores_do_not_see_their_own_labels():
    found = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        y = rng.random(160) < 0.5
        X, folds = rng.normal(size=(160, 60)), grouped_folds(y, range(160), 4)
        names = [*VERDICT, *(f"noise{i}" for i in range(58))]
        found.append(roc_auc_score(y, SurfaceClassifier().fit(X, y, folds, names).out_of_fold_))
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)


def test_same_seed_same_probabilities(fitted):
    X, y, folds = problem()
    again = SurfaceClassifier().fit(X, y, folds)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))


def test_the_trees_are_all_grown_however_many_pairs(fitted):
    # early stopping would hold out pairs at random, splitting groups
    assert fitted.members_["boosting"].do_early_stopping_ is False


def test_a_constant_up_to_rounding_does_not_decide():
    X, y, folds = problem()
    X[:, 1] = 0.02 + 1e-8 * X[:, 1]
    linear = SurfaceClassifier().fit(X, y, folds).members_["linear"]
    other = X.copy()
    other[:, 1] += 0.01
    np.testing.assert_array_equal(linear.predict_proba(other), linear.predict_proba(X))


def test_a_verdict_among_many_features_is_heard():
    X, y, folds = problem(signal=1.0)
    noise = np.random.default_rng(5).normal(size=(len(X), 300))
    X = np.hstack([X, noise])
    names = [VERDICT[0], *(f"noise{i}" for i in range(1, X.shape[1]))]
    other, truth, _ = problem(signal=1.0, seed=1)
    other = np.hstack([other, np.random.default_rng(6).normal(size=(len(other), 300))])
    with_verdict, without = (
        roc_auc_score(truth, SurfaceClassifier().fit(X, y, folds, given).predict_proba(other)[:, 1])
        for given in (names, ())
    )
    assert with_verdict > without + 0.01


def test_not_fitted():
    with pytest.raises(NotFittedError):
        SurfaceClassifier().predict_proba(np.zeros((1, 3)))


def test_calibrator_recovers_a_known_distortion():
    rng = np.random.default_rng(0)
    true_log_odds = rng.normal(0, 1.5, 20000)
    y = rng.random(20000) < expit(true_log_odds)
    calibrator = fit_calibrator((true_log_odds[:, None] - 1) * 3, y)
    assert calibrator.coef_[0, 0] == pytest.approx(1 / 3, rel=0.05)
    assert calibrator.intercept_[0] == pytest.approx(1, abs=0.05)


def test_calibrator_does_not_claim_certainty_on_separable_scores():
    y = np.arange(100) < 50
    p = fit_calibrator(np.where(y, 2.0, -2.0)[:, None], y).predict_proba(np.array([[2.0], [-2.0]]))[:, 1]
    np.testing.assert_allclose(p, [51 / 52, 1 / 52], atol=1e-3)


def test_calibrator_never_turns_a_ranking_around():
    y = np.arange(100) < 30
    log_odds = np.where(y, -1.0, 1.0)[:, None] + np.linspace(-0.1, 0.1, 100)[:, None]
    p = fit_calibrator(log_odds, y).predict_proba(log_odds)[:, 1]
    assert np.all(np.diff(p[np.argsort(log_odds[:, 0])]) > 0)
    np.testing.assert_allclose(logit(p), logit(0.3), atol=0.01)


def member_log_odds(y, signals, seed=0):
    rng = np.random.default_rng(seed)
    return np.column_stack([signal * (y - 0.5) + rng.normal(size=len(y)) for signal in signals])


def test_a_member_that_knows_nothing_counts_for_little():
    y = np.arange(1000) % 2 == 0
    blend = fit_blend(member_log_odds(y, (2.0, 0.0, 0.0)), y)
    useful, *useless = blend.coef_[0]
    assert useful > 10 * max(useless)
    assert min(useless) >= 0
    new = member_log_odds(y, (2.0, 0.0, 0.0), seed=1)
    found, alone = blend.predict_proba(new)[:, 1], new[:, 0]
    assert roc_auc_score(y, found) > roc_auc_score(y, alone) - 0.005
    assert abs(found[y].mean() + found[~y].mean() - 1) < 0.05


def test_equal_members_count_alike_and_together_know_more():
    y = np.arange(1000) % 2 == 0
    log_odds = member_log_odds(y, (1.0, 1.0))
    blend = fit_blend(log_odds, y)
    assert blend.coef_[0, 0] == pytest.approx(blend.coef_[0, 1], rel=0.3)
    together = roc_auc_score(y, blend.predict_proba(log_odds)[:, 1])
    assert together > max(roc_auc_score(y, column) for column in log_odds.T) + 0.02


def test_a_blend_is_calibrated():
    rng = np.random.default_rng(0)
    true_log_odds = rng.normal(0, 1.5, 20000)
    y = rng.random(20000) < expit(true_log_odds)
    blend = fit_blend(np.column_stack([3 * true_log_odds - 1, true_log_odds / 2]), y)
    found = logit(blend.predict_proba(np.column_stack([3 * true_log_odds - 1, true_log_odds / 2]))[:, 1])
    slope, offset = np.polyfit(true_log_odds, found, 1)
    assert (slope, offset) == (pytest.approx(1, abs=0.05), pytest.approx(0, abs=0.05))


def test_a_blend_of_misleading_members_stays_flat():
    y = np.arange(200) < 60
    p = fit_blend(member_log_odds(y, (-2.0, -2.0)), y).predict_proba(member_log_odds(y, (-2.0, -2.0)))[:, 1]
    np.testing.assert_allclose(p, 0.3, atol=0.02)
