"""The classifier on surface features, blended and calibrated on predictions that it made out of fold."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_selection import VarianceThreshold
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from halluscope.detector.readings import EVIDENCE
from halluscope.features.heights import WHOLE
from halluscope.folds import Fold

_EDGE = 1e-6  # keeps the log-odds of a sure classifier finite
# What single precision leaves of a constant: scaled to unit variance it would outweigh every true difference.
_ROUNDING = 1e-5
_EQUALITY = 0.01  # penalty on unequal members, in nats of log-loss for one unit of weight
_LEAST_SLOPE = 1e-3  # calibration never turns a ranking around


PRIOR = "prior.log_odds"
"""The feature that is a member in itself: what another detector says, see `halluscope.detector.prior`."""
VERDICT = (f"{EVIDENCE}.{WHOLE}.all", f"{EVIDENCE}.{WHOLE}.last")
"""Features that are a verdict in themselves: the evidence of all layers, over all tokens and at the last."""


class SurfaceClassifier(ClassifierMixin, BaseEstimator):
    """Calibrated blend of three or four members.

    Logistic regression and gradient boosting on all features, and, where the features of `VERDICT` are among
    them, logistic regression on these alone: among hundreds of others the first two lose part of it. Where
    the last feature is what a prior says (`halluscope.detector.prior`), that is the fourth member as it is,
    and the others do not see it. How much each counts is learned from predictions that they made out of fold:
    see `fit_blend`.

    Parameters
    ----------
    strength : float
        Inverse penalty ``C`` of the logistic regression on standardised features.
    seed : int
        For the boosting's random choices.

    Attributes
    ----------
    members_ : dict of str to estimator
        The fitted members.
    blend_ : LogisticRegression
        From the members' log-odds, and the prior's behind them, to calibrated ones.
    blend_without_prior_ : LogisticRegression
        The same of the members alone; not saved with a detector, and so not there once it is loaded.
    out_of_fold_ : ndarray of shape (pairs,)
        Calibrated probability of each training pair from members and a blend that were not fitted on its
        group. Slightly too good: the readings that the other groups' features were measured with saw it.
    classes_ : ndarray
        ``[False, True]``.
    """

    def __init__(self, strength: float = 0.01, seed: int = 0) -> None:
        self.strength = strength
        self.seed = seed

    def fit(
        self,
        X: npt.NDArray[np.float64],
        y: npt.NDArray[np.bool_],
        folds: Sequence[Fold],
        names: Sequence[str] = (),
    ) -> SurfaceClassifier:
        """Fit members and blend.

        Parameters
        ----------
        X : ndarray of shape (pairs, features)
            Surface features.
        y : ndarray of shape (pairs,)
            True where hallucinated.
        folds : sequence of (train, test)
            Grouped folds; the blend learns from the test parts' predictions.
        names : sequence of str
            Of the features, by which those of `VERDICT` are found.
        """
        n = len(names) - 1 if PRIOR in names[-1:] else X.shape[1]
        measured, prior = X[:, :n], X[:, n:]
        members = new_members(
            [names.index(name) for name in VERDICT if name in names], self.strength, self.seed
        )
        log_odds = np.column_stack([np.empty((len(y), len(members))), prior])
        for train, test in folds:
            for column, member in enumerate(members.values()):
                fitted = clone(member).fit(measured[train], y[train])
                log_odds[test, column] = member_log_odds(fitted, measured[test])
        self.members_ = {name: member.fit(measured, y) for name, member in members.items()}
        self.classes_ = np.array([False, True])
        self.n_features_in_ = X.shape[1]
        self.blend_ = fit_blend(log_odds, y)
        self.blend_without_prior_ = (
            fit_blend(log_odds[:, : len(members)], y) if n < X.shape[1] else self.blend_
        )
        self.out_of_fold_ = np.empty(len(y))
        for train, test in folds:
            blend = fit_blend(log_odds[train], y[train])
            self.out_of_fold_[test] = blend.predict_proba(log_odds[test])[:, 1]
        return self

    def without_prior(self) -> SurfaceClassifier:
        """The same members in a blend that does not hear the prior; of a classifier that was fitted here.

        It reads the same features as this one, the prior among them.
        """
        other = copy.copy(self)
        other.blend_ = self.blend_without_prior_
        del other.out_of_fold_
        return other

    def predict_proba(self, X: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Calibrated probabilities of shape (pairs, 2): not hallucinated, hallucinated."""
        check_is_fitted(self)
        members = list(self.members_.values())
        n = members[0].n_features_in_
        columns = [*(member_log_odds(member, X[:, :n]) for member in members), *X[:, n:].T]
        return np.asarray(self.blend_.predict_proba(np.column_stack(columns[: self.blend_.n_features_in_])))

    def predict(self, X: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """True where hallucinated is more likely than not."""
        return self.predict_proba(X)[:, 1] >= 0.5


def new_members(verdict: list[int], strength: float = 0.01, seed: int = 0) -> dict[str, Any]:
    """The members before they are fitted; `verdict` holds the columns of `VERDICT`, if there are any."""
    members: dict[str, Any] = {
        "linear": make_pipeline(
            VarianceThreshold(_ROUNDING**2),
            StandardScaler(),
            LogisticRegression(C=strength, solver="newton-cholesky"),
        ),
        "boosting": HistGradientBoostingClassifier(
            learning_rate=0.05,
            max_iter=200,
            max_leaf_nodes=12,
            min_samples_leaf=20,
            l2_regularization=5.0,
            max_features=0.2,
            max_bins=64,  # two and a half times as fast as the usual 255, and as good
            early_stopping=False,  # its own validation split, made beyond 10,000 pairs, ignores groups
            random_state=seed,
        ),
    }
    if verdict:
        chosen = ColumnTransformer([("verdict", StandardScaler(), verdict)])
        members["verdict"] = make_pipeline(chosen, LogisticRegression())
    return members


def fit_blend(log_odds: npt.NDArray[np.float64], y: npt.NDArray[np.bool_]) -> LogisticRegression:
    """Weights of the members, and the calibration of their weighted sum.

    Each member's log-odds are calibrated by themselves (`fit_calibrator`). Their weights are those of a
    logistic regression that are not negative and drawn towards equal ones by a penalty (stacking: Wolpert
    1992; Breiman 1996 for the sign): on few pairs the blend is nearly the plain average.

    Parameters
    ----------
    log_odds : ndarray of shape (pairs, members)
        From members that did not see the pairs' groups.
    y : ndarray of shape (pairs,)
        True where hallucinated.

    Returns
    -------
    LogisticRegression
        With one coefficient for each member, none of them negative.
    """
    members = log_odds.shape[1]
    calibrators = [fit_calibrator(log_odds[:, [column]], y) for column in range(members)]
    slopes, offsets = (
        np.array([getattr(calibrator, name).item() for calibrator in calibrators])
        for name in ("coef_", "intercept_")
    )
    calibrated = log_odds * slopes + offsets
    target = _smoothed(y)
    equal = np.full(members, 1 / members)

    def loss(parameters: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        weights, intercept = parameters[:-1], parameters[-1]
        margin = calibrated @ weights + intercept
        excess = expit(margin) - target
        value = np.mean(np.logaddexp(0, margin) - target * margin) + _EQUALITY * np.sum(
            (weights - equal) ** 2
        )
        slope = calibrated.T @ excess / len(y) + 2 * _EQUALITY * (weights - equal)
        return float(value), np.append(slope, excess.mean())

    bounds = [(0, None)] * members + [(None, None)]
    found = minimize(loss, np.append(equal, 0.0), jac=True, bounds=bounds, method="L-BFGS-B").x
    blend = LogisticRegression()
    blend.classes_, blend.n_features_in_ = np.array([False, True]), members
    blend.coef_ = (found[:-1] * slopes)[None]
    blend.intercept_ = np.array([found[:-1] @ offsets + found[-1]])
    return blend


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
    target = _smoothed(y)
    both = np.repeat([True, False], len(y))  # each pair once as either kind, weighted by its smoothed label
    calibrator = LogisticRegression(C=1e6).fit(
        np.concatenate([log_odds, log_odds]), both, sample_weight=np.concatenate([target, 1 - target])
    )
    if calibrator.coef_[0, 0] < _LEAST_SLOPE:
        calibrator.coef_ = np.array([[_LEAST_SLOPE]])
        calibrator.intercept_ = logit([y.mean()])
    return calibrator


def _smoothed(y: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Platt's smoothed labels."""
    return np.where(y, (y.sum() + 1) / (y.sum() + 2), 1 / ((~y).sum() + 2))


def member_log_odds(member: Any, X: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Log-odds (pairs,) of being hallucinated that a fitted member reads from features (pairs, features)."""
    return log_odds(member.predict_proba(X)[:, 1])


def log_odds(probability: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Log-odds of probabilities, finite for sure ones too."""
    return np.asarray(logit(np.clip(probability, _EDGE, 1 - _EDGE)))
