"""From labelled pairs to the features a classifier is trained on: two passes through the language model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from halluscope.detector.readings import cross_fit_readings, stack_readings
from halluscope.detector.states import pool_states
from halluscope.errors import InputError
from halluscope.features import measure_features
from halluscope.folds import Fold
from halluscope.lm.language_model import LanguageModel
from halluscope.lm.tokens import TokenizedPair
from halluscope.progress import progress_bar
from halluscope.records import Pair
from halluscope.surfaces import Measure, Reading, Surface, record_surfaces

_CHUNK = 2000  # pairs whose surfaces are held at once


@dataclass(frozen=True)
class LabelledPairs:
    """Pairs with a label and a group each, checked.

    Parameters
    ----------
    pairs : list of Pair
    hallucinated : ndarray of bool
    groups : ndarray of str
    """

    pairs: list[Pair]
    hallucinated: npt.NDArray[np.bool_]
    groups: npt.NDArray[np.str_]


def check_labelled(
    pairs: list[Pair],
    hallucinated: Sequence[object] | npt.NDArray[np.generic] | None,
    groups: Sequence[object] | npt.NDArray[np.generic] | None,
) -> LabelledPairs:
    """Bring labels and groups to arrays and refuse what cannot be learned from.

    Raises
    ------
    InputError
        No pairs, a missing label, lengths that differ, one class only, or one pair with both labels.
    """
    if not pairs:
        raise InputError("there are no pairs to learn from")
    if hallucinated is None:
        hallucinated = [pair.hallucinated for pair in pairs]
    labels = [_as_label(value, pair) for value, pair in _matched(hallucinated, pairs, "labels")]
    if groups is None:
        names = [pair.fold_group for pair in pairs]
    else:
        names = [str(group) for group, _ in _matched(groups, pairs, "groups")]
    seen: dict[tuple[str, str, str], tuple[bool, Pair]] = {}
    for label, pair in zip(labels, pairs, strict=True):
        earlier = seen.setdefault(pair.key, (label, pair))
        if earlier[0] != label:
            raise InputError(
                f"{earlier[1].where} and {pair.where} are the same pair with opposite labels: "
                "correct or remove one"
            )
    y = np.array(labels, dtype=bool)
    if y.all() or not y.any():
        only = "hallucinated" if y.all() else "not hallucinated"
        raise InputError(f"all {len(y)} pairs are labelled {only}: a detector learns from both kinds")
    return LabelledPairs(pairs, y, np.array(names))


def training_digest(labelled: LabelledPairs) -> str:
    """SHA-256 over the training pairs, labels and groups, in order."""
    digest = hashlib.sha256()
    for pair, label, group in zip(labelled.pairs, labelled.hallucinated, labelled.groups, strict=True):
        digest.update(json.dumps([*pair.key, bool(label), str(group)]).encode())
    return digest.hexdigest()


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


def _matched(
    values: Sequence[object] | npt.NDArray[np.generic], pairs: list[Pair], what: str
) -> list[tuple[object, Pair]]:
    values = list(values)
    if len(values) != len(pairs):
        raise InputError(f"{len(pairs)} pairs but {len(values)} {what}: give one for each pair")
    return list(zip(values, pairs, strict=True))


def _as_label(value: object, pair: Pair) -> bool:
    try:
        known = value in (0, 1)
    except (TypeError, ValueError):  # pandas' missing value, or an array: neither equal nor unequal
        known = False
    if not known:
        raise InputError(f"{pair.where}: the label must be true (hallucinated) or false, not {value!r}")
    return bool(value)


def cross_fit_features(
    lm: LanguageModel,
    labelled: LabelledPairs,
    folds: Sequence[Fold],
    measures: Sequence[Measure],
    ridge: float,
    *,
    show_progress: bool | None = None,
) -> tuple[tuple[str, ...], npt.NDArray[np.float64], Reading]:
    """Learn readings, and measure every pair with the one that never saw its group.

    Parameters
    ----------
    lm : LanguageModel
    labelled : LabelledPairs
    folds : sequence of (train, test)
        Grouped; every pair is in one test part.
    measures : sequence of Measure
        Channels that need no learned direction.
    ridge : float
        Penalty of the readings.
    show_progress : bool, optional
        As for `progress_bar`.

    Returns
    -------
    names : tuple of str
        Of the features.
    X : ndarray of shape (pairs, features)
    reading : Reading
        Learned on all pairs: for answers outside of training.
    """
    n = len(labelled.pairs)
    tokenized = lm.tokenize_pairs(labelled.pairs)
    with progress_bar("Reading answers", n, show=show_progress) as advance:
        states = pool_states(lm, tokenized, progress=advance)
    readings = cross_fit_readings(states, labelled.hallucinated, folds, ridge)
    del states  # the largest thing here; surfaces take its place
    fold_of = np.empty(n, dtype=int)
    for number, (_, test) in enumerate(folds):
        fold_of[test] = number
    with progress_bar("Measuring surfaces", n, show=show_progress) as advance:
        names, features = features_by_reading(
            lm, tokenized, measures, readings.held_out, progress=advance, uses=[[int(f)] for f in fold_of]
        )
    X = np.stack([rows[fold] for rows, fold in zip(features, fold_of.tolist(), strict=True)])
    return names, X, readings.final


def features_by_reading(
    lm: LanguageModel,
    pairs: Sequence[TokenizedPair],
    measures: Sequence[Measure],
    readings: Sequence[Reading],
    *,
    progress: Callable[[int], None] | None = None,
    uses: Sequence[Collection[int]] | None = None,
) -> tuple[tuple[str, ...], list[dict[int, npt.NDArray[np.float64]]]]:
    """Features of every pair's surface under several readings, from one pass through the model.

    Parameters
    ----------
    lm : LanguageModel
    pairs : sequence of TokenizedPair
    measures : sequence of Measure
        Channels that need no learned direction.
    readings : sequence of Reading
        Alternatives: each makes a surface of its own.
    progress : callable, optional
        Called with the number of pairs done after each batch.
    uses : sequence of collection of int, optional
        For each pair, the readings whose features are wanted; all of them if not given.

    Returns
    -------
    names : tuple of str
        Of the features.
    features : list of dict
        For each pair, features by index of the reading.
    """
    stacked = stack_readings(readings)
    names: tuple[str, ...] = ()
    features: list[dict[int, npt.NDArray[np.float64]]] = [{} for _ in pairs]
    for begin in range(0, len(pairs), _CHUNK):
        chunk = range(begin, min(begin + _CHUNK, len(pairs)))
        surfaces = record_surfaces(lm, [pairs[i] for i in chunk], [stacked, *measures], progress=progress)
        for r, reading in enumerate(readings):
            wanted = [i for i in chunk if uses is None or r in uses[i]]
            if not wanted:
                continue
            names, rows = measure_features([pick_reading(surfaces[i - begin], r, reading) for i in wanted])
            for i, row in zip(wanted, rows, strict=True):
                features[i][r] = row
    return names, features


def pick_reading(surface: Surface, index: int, reading: Reading) -> Surface:
    """From a surface with stacked readings, the surface that one of them alone would have given."""
    prefix = f"{index}:"
    rows = [c for c, name in enumerate(surface.channels) if name.startswith(prefix) or ":" not in name]
    channels = tuple(surface.channels[c].removeprefix(prefix) for c in rows)
    return Surface(surface.values[rows], channels, surface.tokens, surface.offsets, surface.answer)
