"""Labelled pairs as a detector learns from them: checked, grouped, and with a digest to know them again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import brier_score_loss, roc_auc_score

from halluscope.errors import InputError
from halluscope.fields import as_bool, is_missing
from halluscope.records import Pair


@dataclass(frozen=True)
class LabelledPairs:
    """Pairs with a label and a group each, checked.

    Parameters
    ----------
    pairs : list of Pair
    hallucinated : ndarray of bool
    groups : ndarray of object
        Strings; not NumPy's own, which all take the room of the longest.
    """

    pairs: list[Pair]
    hallucinated: npt.NDArray[np.bool_]
    groups: npt.NDArray[np.object_]


def check_labelled(
    pairs: list[Pair],
    hallucinated: Sequence[object] | npt.NDArray[np.generic] | None,
    groups: Sequence[object] | npt.NDArray[np.generic] | None,
) -> LabelledPairs:
    """Bring labels and groups to arrays and refuse what cannot be learned from.

    Raises
    ------
    InputError
        No pairs, a missing label or group, lengths that differ, one class only, or one pair with both labels.
    """
    if not pairs:
        raise InputError("there are no pairs to learn from")
    y = check_labels(pairs, hallucinated)
    if groups is None:
        names = [pair.fold_group for pair in pairs]
    else:
        names = [_as_group(group, pair) for group, pair in _matched(groups, pairs, "groups")]
    seen: dict[tuple[str, str, str], tuple[bool, Pair]] = {}
    for label, pair in zip(y.tolist(), pairs, strict=True):
        earlier = seen.setdefault(pair.key, (label, pair))
        if earlier[0] != label:
            raise InputError(
                f"{earlier[1].where} and {pair.where} are the same pair with opposite labels: "
                "correct or remove one"
            )
    if y.all() or not y.any():
        only = "hallucinated" if y.all() else "not hallucinated"
        raise InputError(f"all {len(y)} pairs are labelled {only}: a detector learns from both kinds")
    return LabelledPairs(pairs, y, np.array(names, dtype=object))


def check_labels(
    pairs: list[Pair], hallucinated: Sequence[object] | npt.NDArray[np.generic] | None
) -> npt.NDArray[np.bool_]:
    """Labels (pairs,), the pairs' own if none are given; `InputError` for what is missing or no label."""
    if hallucinated is None:
        hallucinated = [pair.hallucinated for pair in pairs]
    labels = [_as_label(value, pair) for value, pair in _matched(hallucinated, pairs, "labels")]
    return np.array(labels, dtype=bool)


def training_digest(labelled: LabelledPairs) -> str:
    """SHA-256 over the training pairs, labels and groups, in order."""
    digest = hashlib.sha256()
    for pair, label, group in zip(labelled.pairs, labelled.hallucinated, labelled.groups, strict=True):
        digest.update(json.dumps([*pair.key, bool(label), str(group)]).encode())
    return digest.hexdigest()


def describe_training(labelled: LabelledPairs, out_of_fold: npt.NDArray[np.float64]) -> dict[str, Any]:
    """What a detector remembers of its training: sizes, a digest, and marks of the questions, but no text.

    Parameters
    ----------
    labelled : LabelledPairs
    out_of_fold : ndarray of shape (pairs,)
        Probabilities from classifiers that were not fitted on the pair's group.

    Returns
    -------
    dict
        Plain numbers, strings and lists, as JSON keeps them.
    """
    y = labelled.hallucinated
    return {
        "pairs": len(y),
        "groups": len(set(labelled.groups)),
        "hallucinated": float(y.mean()),
        "digest": training_digest(labelled),
        "out_of_fold": {
            "auroc": float(roc_auc_score(y, out_of_fold)),
            "brier": float(brier_score_loss(y, out_of_fold)),
        },
        "questions": sorted(set(question_marks(labelled.pairs))),
    }


def question_marks(pairs: Sequence[Pair]) -> list[str]:
    """For each pair twelve hexadecimal digits by which its question can be found again, without its text.

    The question is the prompt with its context; of a bare statement, the statement.
    """
    marks = []
    for pair in pairs:
        prompt, answer, context = pair.key
        question = json.dumps([prompt, context] if prompt.strip() or context else [answer])
        marks.append(hashlib.sha256(question.encode()).hexdigest()[:12])
    return marks


def count_marked(pairs: Sequence[Pair], marks: Iterable[str]) -> int:
    """How many pairs have a question with one of these marks."""
    known = set(marks)
    return sum(mark in known for mark in question_marks(pairs))


def _matched(
    values: Sequence[object] | npt.NDArray[np.generic], pairs: list[Pair], what: str
) -> list[tuple[object, Pair]]:
    values = list(values)
    if len(values) != len(pairs):
        raise InputError(f"{len(pairs)} pairs but {len(values)} {what}: give one for each pair")
    return list(zip(values, pairs, strict=True))


def _as_label(value: object, pair: Pair) -> bool:
    try:
        return as_bool(value, "label")
    except InputError:
        raise InputError(
            f"{pair.where}: the label must be true (hallucinated) or false, not {value!r}"
        ) from None


def _as_group(value: object, pair: Pair) -> str:
    if is_missing(value):
        raise InputError(f"{pair.where}: the group is missing: name the question or entity of each pair")
    # numbers beside missing values come out of a data frame as floats, and a record's are whole
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
