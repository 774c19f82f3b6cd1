"""Cross-fitting: the features a classifier learns from, measured with readings that never saw the pair.

A classifier trained on surfaces whose readings saw their own labels learns over-confident surfaces that no
new answer has; cross-fitting gives it surfaces like those it will meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from halluscope.detector.classifier import PRIOR
from halluscope.detector.moments import Rows
from halluscope.detector.prior import Prior
from halluscope.detector.readings import fit_readings
from halluscope.detector.shards import Shards
from halluscope.features import feature_names, measure_features
from halluscope.folds import Fold
from halluscope.lm.stored import StateSource
from halluscope.lm.tokens import TokenizedPair
from halluscope.surfaces import Measure, Reading, Surface, record_surfaces

Learner = Callable[[npt.NDArray[np.float32], npt.NDArray[np.bool_], float, Sequence[Rows]], list[Reading]]
"""Learns readings as `fit_readings` does."""
Transform = Callable[[Surface], Surface]
"""Changes a surface before it is measured."""

_VALUES = 2**24  # heights of all surfaces that are held at once, and measured between two safe points


@dataclass(frozen=True, eq=False)
class TrainingPart:
    """Rows that may be learned from, and how they are folded.

    Parameters
    ----------
    rows : ndarray of int
        Indices of pairs; whatever is not among them is held out.
    folds : list of (train, test)
        Grouped; places in `rows`, each in one test part.
    """

    rows: Rows
    folds: list[Fold]


@dataclass(frozen=True, eq=False)
class CrossFitted:
    """What one training part gives.

    Parameters
    ----------
    part : TrainingPart
    reading : Reading
        Learned on the whole part, for answers outside of it.
    features : ndarray of shape (pairs, features)
        Of all pairs: those of the part measured with the reading that their fold held them out from, all
        others with `reading`.
    """

    part: TrainingPart
    reading: Reading
    features: npt.NDArray[np.float64]


def cross_fit(
    source: StateSource,
    pairs: Sequence[TokenizedPair],
    states: npt.NDArray[np.float32],
    hallucinated: npt.NDArray[np.bool_],
    parts: Sequence[TrainingPart],
    measures: Sequence[Measure],
    ridge: float,
    *,
    learn: Learner = fit_readings,
    transform: Transform | None = None,
    prior: Prior | None = None,
    shards: Shards | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[tuple[str, ...], list[CrossFitted]]:
    """Learn the readings of one or more training parts, and measure all pairs in one pass through the model.

    Parameters
    ----------
    source : LanguageModel or StoredStates
    pairs : sequence of TokenizedPair
    states : ndarray of shape (pairs, 3, layers, d)
        What `pool_states` gives for them.
    hallucinated : ndarray of shape (pairs,)
    parts : sequence of TrainingPart
        One to train a detector, one for each fold to cross-validate it.
    measures : sequence of Measure
        Channels that need no learned direction.
    ridge : float
        Penalty of the readings.
    learn : callable, default `fit_readings`
        What learns readings: another one shows what the learned directions are worth.
    transform : callable, optional
        From a surface to one with the same channels and layers, applied before it is measured: what that
        destroys shows what the features rest on.
    prior : Prior, optional
        Its log-odds become the last feature.
    shards : Shards, optional
        Where finished parts are kept.
    progress : callable, optional
        Called with the number of pairs measured after each batch.

    Returns
    -------
    names : tuple of str
        Of the features.
    fitted : list of CrossFitted
        One for each part.
    """
    learned_from = [rows for part in parts for rows in (part.rows, *(part.rows[i] for i, _ in part.folds))]
    learned = learn(states, hallucinated, ridge, learned_from)
    readings: list[Reading] = []
    finals: list[Reading] = []
    reading_of = np.empty((len(parts), len(pairs)), dtype=np.intp)
    for number, part in enumerate(parts):
        final, *of_folds = learned[: 1 + len(part.folds)]
        del learned[: 1 + len(part.folds)]
        finals.append(final)
        if len(part.rows) < len(pairs):
            reading_of[number] = len(readings)
            readings.append(final)
        for (_, test), reading in zip(part.folds, of_folds, strict=True):
            reading_of[number, part.rows[test]] = len(readings)
            readings.append(reading)
    if prior is not None:
        reading_of = np.vstack([reading_of, np.full(len(pairs), len(readings))])
        readings.append(prior.reading)
    names, features = measure_with(
        source, pairs, measures, readings, reading_of, transform=transform, shards=shards, progress=progress
    )
    if prior is not None:
        names = (*names, PRIOR)
        log_odds = np.broadcast_to(prior.log_odds(features[-1])[:, None], (len(parts), len(pairs), 1))
        features = np.concatenate([features[:-1], log_odds], axis=2)
    return names, [CrossFitted(*fitted) for fitted in zip(parts, finals, features, strict=True)]


def measure_with(
    source: StateSource,
    pairs: Sequence[TokenizedPair],
    measures: Sequence[Measure],
    readings: Sequence[Reading],
    reading_of: npt.NDArray[np.intp],
    *,
    transform: Transform | None = None,
    shards: Shards | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    """Features of every pair's surface under several readings, from one pass through the model.

    Parameters
    ----------
    source : LanguageModel or StoredStates
    pairs : sequence of TokenizedPair
    measures : sequence of Measure
        Channels that need no learned direction.
    readings : sequence of Reading
        Alternatives: each makes a surface of its own.
    reading_of : ndarray of int, shape (sets, pairs)
        For each set of features, the index of the reading that a pair is measured with.
    transform, shards : optional
        As for `cross_fit`.
    progress : callable, optional
        Called with the number of pairs done after each batch.

    Returns
    -------
    names : tuple of str
        Of the features.
    features : ndarray of shape (sets, pairs, features)
    """
    # one measure each, not one of them all: a product of another shape is rounded in another way
    numbered = [_numbered(number, reading) for number, reading in enumerate(readings)]
    width = sum(len(reading.channels) for reading in readings)
    shared = tuple(channel for measure in measures for channel in measure.channels)
    own_names, shared_names = feature_names(readings[0].channels), feature_names(shared)
    features = np.empty((*reading_of.shape, len(own_names) + len(shared_names)))
    rows_of_a_token = source.n_layers * (width + len(shared))
    shards, report = shards or Shards(), progress or (lambda done: None)
    for chunk in _chunks([len(pair.tokens) * rows_of_a_token for pair in pairs]):

        def measured(chunk: slice = chunk) -> npt.NDArray[np.float64]:
            surfaces = record_surfaces(source, pairs[chunk], [*numbered, *measures], progress=progress)
            if transform is not None:
                surfaces = [transform(surface) for surface in surfaces]
            found = features[:, chunk]  # a view
            if shared:
                rest = [_channels(surface, slice(width, None), shared) for surface in surfaces]
                found[:, :, len(own_names) :] = measure_features(rest)[1]
            for index in np.unique(reading_of[:, chunk]):
                taken = reading_of[:, chunk] == index
                wanted = np.flatnonzero(taken.any(axis=0))
                rows = measure_features([_one_reading(surfaces[i], index, readings[index]) for i in wanted])[
                    1
                ]
                sets, places = np.nonzero(taken[:, wanted])
                found[sets, wanted[places], : len(own_names)] = rows[places]
            return found

        done = partial(report, chunk.stop - chunk.start)
        features[:, chunk] = shards.get(f"features-{chunk.start}", measured, done)
    return (*own_names, *shared_names), features


def _chunks(sizes: Sequence[int]) -> Iterator[slice]:
    """Runs of pairs whose sizes add up to `_VALUES` at most, or that are a single pair."""
    begin = held = 0
    for index, size in enumerate(sizes):
        if held and held + size > _VALUES:
            yield slice(begin, index)
            begin, held = index, 0
        held += size
    yield slice(begin, len(sizes))


def _numbered(number: int, reading: Reading) -> Reading:
    """The same reading under channel names that no other reading has."""
    return replace(reading, channels=tuple(f"{number}:{channel}" for channel in reading.channels))


def _one_reading(surface: Surface, index: int, reading: Reading) -> Surface:
    """One of the readings of a surface, under the names of its own channels."""
    first = index * len(reading.channels)
    return _channels(surface, slice(first, first + len(reading.channels)), reading.channels)


def _channels(surface: Surface, rows: slice, names: tuple[str, ...]) -> Surface:
    return Surface(surface.values[rows], names, surface.tokens, surface.offsets, surface.answer)
