"""Folds that keep every question on one side: for cross-fitting, evaluation and every choice inside it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedGroupKFold

from halluscope.errors import InputError

#: Row numbers of the training part and of the test part.
Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


def group_codes(groups: Iterable[Hashable]) -> NDArray[np.intp]:
    """Number the groups from 0 in the order in which they appear.

    Parameters
    ----------
    groups : iterable of hashable
        Group of each row.

    Returns
    -------
    ndarray of int, shape (n,)
        Code of each row's group.
    """
    codes: dict[Hashable, int] = {}
    return np.array([codes.setdefault(group, len(codes)) for group in groups], dtype=np.intp)


def grouped_folds(y: ArrayLike, groups: Iterable[Hashable], n_folds: int, seed: int = 0) -> list[Fold]:
    """Shuffled folds that never split a group and keep the share of hallucinated answers alike.

    Answers to one question resemble each other; if they fell on both sides of a split, a detector that merely
    remembers the question would look good.

    Parameters
    ----------
    y : array-like of bool, shape (n,)
        Whether each answer is hallucinated.
    groups : iterable of hashable, length n
        Question or entity of each row.
    n_folds : int
        Number of folds, at least 2.
    seed : int, default 0
        Seed of the shuffle.

    Returns
    -------
    list of (ndarray of int, ndarray of int)
        Row numbers of training and test part, one pair of arrays for each fold.

    Raises
    ------
    InputError
        For a seed that cannot be, or where there are too few groups, or a training or test part would hold
        one class only.
    """
    if not 0 <= seed < 2**32:
        raise InputError(f"parameter 'seed' must be a whole number from 0 to 2**32 - 1, not {seed!r}")
    labels = np.asarray(y).astype(bool)
    codes = group_codes(groups)
    if labels.shape != codes.shape:
        raise InputError(f"{labels.size} labels but {codes.size} groups: give one group for each label")
    _check_possible(labels, codes, n_folds)
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    folds = [(train, test) for train, test in splitter.split(labels, labels, codes)]
    for number, fold in enumerate(folds, start=1):
        for part, rows in zip(("training", "test"), fold, strict=True):
            for kind, present in _kinds(labels[rows]):
                if not present.any():
                    raise InputError(
                        f"the {part} part of fold {number} of {n_folds} holds no {kind} answer: "
                        f"use fewer folds or add {kind} answers to other questions"
                    )
    return folds


def _check_possible(labels: NDArray[np.bool_], codes: NDArray[np.intp], n_folds: int) -> None:
    if n_folds < 2:
        raise InputError(f"{n_folds} folds cannot separate training from test: use at least 2")
    for kind, present in _kinds(labels):
        if not present.any():
            raise InputError(f"none of the {len(labels)} answers is {kind}: both kinds are needed")
    n_groups = len(np.unique(codes))
    if n_groups == 1:
        raise InputError(
            f"all {len(labels)} answers are of one group, which no fold may split: name the question or "
            "entity of each in 'group' (where it is absent, answers to the same prompt are one group)"
        )
    if n_groups < n_folds:
        raise InputError(
            f"{n_groups} groups cannot fill {n_folds} folds: use at most {n_groups} folds or add questions"
        )
    for kind, present in _kinds(labels):
        holding = len(np.unique(codes[present]))
        if holding < n_folds:
            raise InputError(
                f"{kind} answers occur in {holding} groups only, too few for {n_folds} folds: "
                f"use fewer folds or add {kind} answers to other questions"
            )


def _kinds(labels: NDArray[np.bool_]) -> tuple[tuple[str, NDArray[np.bool_]], ...]:
    return ("hallucinated", labels), ("truthful", ~labels)
