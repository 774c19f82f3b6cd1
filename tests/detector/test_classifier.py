import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.exceptions import NotFittedError

from halluscope.detector.classifier import SurfaceClassifier, fit_calibrator
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


def test_out_of_fold_scores_do_not_see_their_own_labels(fitted):
    X, y, folds = problem()
    _, test = folds[0]
    flipped = y.copy()
    flipped[test] = ~flipped[test]
    other = SurfaceClassifier().fit(X, flipped, folds)
    ours, theirs = (np.argsort(c.out_of_fold_[test]) for c in (fitted, other))
    np.testing.assert_array_equal(ours, theirs)  # only the calibration, which keeps the order, has moved


def test_same_seed_same_probabilities(fitted):
    X, y, folds = problem()
    again = SurfaceClassifier().fit(X, y, folds)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))


def test_the_trees_are_all_grown_however_many_pairs(fitted):
    # early stopping would hold out pairs at random, splitting groups
    assert fitted.members_.named_estimators_["boosting"].do_early_stopping_ is False


def test_a_constant_up_to_rounding_does_not_decide():
    X, y, folds = problem()
    X[:, 1] = 0.02 + 1e-8 * X[:, 1]
    linear = SurfaceClassifier().fit(X, y, folds).members_.named_estimators_["linear"]
    other = X.copy()
    other[:, 1] += 0.01
    np.testing.assert_array_equal(linear.predict_proba(other), linear.predict_proba(X))


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
