"""The classifier on surface features, calibrated on predictions that it made out of fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import HistGradientBoostingClassifier, VotingClassifier
from sklearn.feature_selection import VarianceThreshold
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from halluscope.folds import Fold

_EDGE = 1e-6  # keeps the log-odds of a sure classifier finite
# What single precision leaves of a constant: scaled to unit variance it would outweigh every true difference.
_ROUNDING = 1e-5
_LEAST_SLOPE = 1e-3  # calibration never turns a ranking around


class SurfaceClassifier(ClassifierMixin, BaseEstimator):
    """Average of logistic regression and gradient boosting, with Platt calibration.

    Parameters
    ----------
    strength : float
        Inverse penalty ``C`` of the logistic regression on standardised features.
    seed : int
        For the boosting's random choices.

    Attributes
    ----------
    members_ : VotingClassifier
        The fitted average.
    calibrator_ : LogisticRegression
        Maps its log-odds to calibrated ones, fitted on out-of-fold predictions; see `fit_calibrator`.
    out_of_fold_ : ndarray of shape (pairs,)
        Calibrated probability of each training pair from members that were not fitted on its group.
    classes_ : ndarray
        ``[False, True]``.
    """

    def __init__(self, strength: float = 0.01, seed: int = 0) -> None:
        self.strength = strength
        self.seed = seed

    def fit(
        self, X: npt.NDArray[np.float64], y: npt.NDArray[np.bool_], folds: Sequence[Fold]
    ) -> SurfaceClassifier:
        """Fit members and calibrator.

        Parameters
        ----------
        X : ndarray of shape (pairs, features)
            Surface features.
        y : ndarray of shape (pairs,)
            True where hallucinated.
        folds : sequence of (train, test)
            Grouped folds; the calibrator learns from the test parts' predictions.
        """
        members = self._new_members()
        raw = np.empty(len(y))
        for train, test in folds:
            raw[test] = clone(members).fit(X[train], y[train]).predict_proba(X[test])[:, 1]
        log_odds = _log_odds(raw)
        self.calibrator_ = fit_calibrator(log_odds, y)
        self.out_of_fold_ = self.calibrator_.predict_proba(log_odds)[:, 1]
        self.members_ = members.fit(X, y)
        self.classes_ = np.array([False, True])
        self.n_features_in_ = X.shape[1]
        return self

    def predict_proba(self, X: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Calibrated probabilities of shape (pairs, 2): not hallucinated, hallucinated."""
        check_is_fitted(self)
        return np.asarray(self.calibrator_.predict_proba(_log_odds(self.members_.predict_proba(X)[:, 1])))

    def predict(self, X: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """True where hallucinated is more likely than not."""
        return self.predict_proba(X)[:, 1] >= 0.5

    def _new_members(self) -> Any:
        linear = make_pipeline(
            VarianceThreshold(_ROUNDING**2),
            StandardScaler(),
            LogisticRegression(C=self.strength, solver="newton-cholesky"),
        )
        boosting = HistGradientBoostingClassifier(
            learning_rate=0.05,
            max_iter=200,
            max_leaf_nodes=12,
            min_samples_leaf=20,
            l2_regularization=5.0,
            max_features=0.2,
            max_bins=64,  # two and a half times as fast as the usual 255, and as good
            early_stopping=False,  # its own validation split, made beyond 10,000 pairs, ignores the groups
            random_state=self.seed,
        )
        return VotingClassifier([("linear", linear), ("boosting", boosting)], voting="soft")


def fit_calibrator(log_odds: npt.NDArray[np.float64], y: npt.NDArray[np.bool_]) -> LogisticRegression:
    """Platt's calibration: logistic regression of the labels on held-out log-odds.

    The labels are smoothed as Platt (1999) does, to (N+ + 1) / (N+ + 2) and 1 / (N- + 2): separable scores
    would otherwise drive the slope, and with it all probabilities, to certainty. The slope stays positive:
    scores that rank the wrong way round by chance are flattened to the share of hallucinated answers, not
    turned around, which would make a detector of random labels look better than chance.

    Parameters
    ----------
    log_odds : ndarray of shape (pairs, 1)
        From members that did not see the pairs' groups.
    y : ndarray of shape (pairs,)
        True where hallucinated.

    Returns
    -------
    LogisticRegression
        With one coefficient.
    """
    target = np.where(y, (y.sum() + 1) / (y.sum() + 2), 1 / ((~y).sum() + 2))
    both = np.repeat([True, False], len(y))  # each pair once as either kind, weighted by its smoothed label
    calibrator = LogisticRegression(C=1e6).fit(
        np.concatenate([log_odds, log_odds]), both, sample_weight=np.concatenate([target, 1 - target])
    )
    if calibrator.coef_[0, 0] < _LEAST_SLOPE:
        calibrator.coef_ = np.array([[_LEAST_SLOPE]])
        calibrator.intercept_ = logit([y.mean()])
    return calibrator


def _log_odds(probability: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(logit(np.clip(probability, _EDGE, 1 - _EDGE)))[:, None]
