"""Logistic regression that is fast where columns outnumber rows, with its strength chosen by grouped folds.

A linear model with an L2 penalty has its weights in the span of the training rows. The eigenvectors of their
Gram matrix give an orthonormal basis of that span, so a regression on the n coordinates in it is the very
regression on the original columns (Hastie and Tibshirani 2004), whether these are 18,000 or 200,000.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

from halluscope.evaluation.metrics import auroc
from halluscope.folds import Fold

Floats = NDArray[Any]

#: Inverse penalties to choose from, for rows whose mean squared length is one: dividing standardised columns
#: by the root of their number makes one grid serve every width of a model.
STRENGTHS = (0.5, 5.0, 50.0)
#: Slope that calibration may not fall below.
LEAST_SLOPE = 1e-3


class Choice(NamedTuple):
    """A strength, the mean AUROC over the inner folds that speaks for it, and the logits behind that."""

    auroc: float
    strength: float
    logits: Floats
    """Shape (n,): of each row, from the fold that held it out."""


class Span(NamedTuple):
    """The training rows in an orthonormal basis of their span, and the way back."""

    coordinates: Floats
    """Shape (n, rank)."""
    dual: Floats
    """Shape (n, rank): times coefficients, then times the transposed rows, gives the columns' weights."""


def logistic(strength: float) -> LogisticRegression:
    """The regression that all linear baselines share."""
    return LogisticRegression(C=strength, tol=1e-3, max_iter=2000)


def choose_strength(rows: Floats, labels: NDArray[np.bool_], folds: list[Fold]) -> Choice:
    """The inverse penalty with the best mean AUROC over inner folds.

    Parameters
    ----------
    rows : ndarray, shape (n, columns)
        Training rows with a mean squared length of about one.
    labels : ndarray of bool, shape (n,)
        Labels.
    folds : list of (train, test)
        Grouped folds inside the training part.

    Returns
    -------
    Choice
        The best of `STRENGTHS`; the smallest among equals.
    """
    scores = np.zeros(len(STRENGTHS))
    logits = np.zeros((len(STRENGTHS), len(labels)))
    for train, test in folds:
        fitting, held_out = rows[train], rows[test]
        for number, strength in enumerate(STRENGTHS):
            model = logistic(strength).fit(fitting, labels[train])
            logits[number, test] = held_out @ model.coef_[0] + model.intercept_[0]
            scores[number] += auroc(labels[test], logits[number, test]) / len(folds)
    best = int(np.argmax(scores))
    return Choice(float(scores[best]), STRENGTHS[best], logits[best])


def span(gram: Floats) -> Span:
    """Coordinates of rows in their own span, from their Gram matrix.

    Parameters
    ----------
    gram : ndarray, shape (n, n)
        Inner products of the rows.

    Returns
    -------
    Span
        Coordinates with the same inner products; directions below rounding error are left out.
    """
    values, vectors = eigh(gram, driver="evd")
    kept = values > values[-1] * np.finfo(gram.dtype).eps * len(gram)
    roots = np.sqrt(values[kept])
    return Span(vectors[:, kept] * roots, vectors[:, kept] / roots)


def platt(logits: Floats, labels: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and intercept that turn held-out logits into calibrated ones (Platt 1999).

    The penalty is chosen for its ranking and leaves a probe over-confident; without this, a comparison of
    calibration errors with a calibrated detector would be unfair. The slope stays positive, so a ranking is
    never turned around, even where the held-out logits point the wrong way.

    Parameters
    ----------
    logits : ndarray, shape (n,)
        Logits of training rows from models that did not see their groups.
    labels : ndarray of bool, shape (n,)
        Labels.

    Returns
    -------
    tuple of float
        Slope and intercept.
    """
    model = LogisticRegression(C=1e3).fit(logits[:, None], labels)
    slope = float(model.coef_[0, 0])
    if slope > LEAST_SLOPE:
        return slope, float(model.intercept_[0])
    return LEAST_SLOPE, float(logit(labels.mean()))
