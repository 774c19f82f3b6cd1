"""What an evaluation does with grouped folds: choices inside a training part, and scores from outside it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from halluscope.folds import Fold, group_codes, grouped_folds


def inner_folds(y: NDArray[np.bool_], groups: Iterable[Hashable], n_folds: int, seed: int = 0) -> list[Fold]:
    """`grouped_folds` for a choice inside a training part: fewer folds where a small part has too few groups.

    A choice of layer or penalty made on two folds is merely rougher than one on three, whereas the number of
    outer folds is part of what an evaluation reports and must not change silently.

    Parameters
    ----------
    y, groups, seed
        As in `grouped_folds`.
    n_folds : int
        Number of folds where the groups suffice.

    Returns
    -------
    list of (ndarray of int, ndarray of int)
        At least two folds.
    """
    codes = group_codes(groups)
    holding = min(len(np.unique(codes[kind])) for kind in (y, ~y))
    return grouped_folds(y, codes.tolist(), max(2, min(n_folds, holding)), seed)


def out_of_fold(
    estimator: Any, pairs: Any, y: NDArray[np.bool_], groups: Iterable[Hashable], folds: list[Fold]
) -> NDArray[np.float64]:
    """Probability of *hallucinated* for each row from an estimator that never saw the row's group.

    Parameters
    ----------
    estimator : scikit-learn classifier
        With ``fit(pairs, y, groups=...)``; a fresh clone is fitted for every fold.
    pairs : RecordedPairs
        Rows, with ``take(index)``.
    y : ndarray of bool, shape (n,)
        Labels.
    groups : iterable of hashable, length n
        Group of each row, handed on for the choices inside the training parts.
    folds : list of (train, test)
        From `grouped_folds`.

    Returns
    -------
    ndarray of float, shape (n,)
        Probabilities, in the order of the rows.
    """
    probability = np.full(len(y), np.nan)
    codes = group_codes(groups)
    for train, test in folds:
        fitted = clone(estimator).fit(pairs.take(train), y[train], groups=codes[train])
        probability[test] = fitted.predict_proba(pairs.take(test))[:, 1]
    return probability
