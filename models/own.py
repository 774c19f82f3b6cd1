"""What a shipped detector learns from its language model's own answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from halluscope import Detector
from halluscope.detector.labelled import check_labelled, question_marks
from halluscope.detector.own_answers import fit_own_answers
from halluscope.evaluation.transfer import evaluate_transfer
from halluscope.folds import grouped_folds
from halluscope.lm.stored import StateSource
from halluscope.records import Pair
from models.facts.split import HELD_OUT_KINDS

ALONE = "taught by given answers alone"
"""What results call a detector without what it learned from own answers."""

_CHUNK = 1000  # pairs whose surfaces are held at once


def learn_own_answers(
    detector: Detector,
    own: Sequence[Pair],
    own_source: StateSource,
    given: Sequence[Pair],
    given_source: StateSource,
) -> None:
    """Give a fitted detector what judges its language model's own answers.

    Parameters
    ----------
    detector : Detector
        Fitted on `given`; changed.
    own : sequence of Pair
        Labelled answers of the language model. Those of held-out kinds are left out.
    own_source : StateSource
        Of the own answers.
    given : sequence of Pair
        What the gate learns to tell them from.
    given_source : StateSource
        Of these.
    """
    labelled = check_labelled(learned_from(own), None, None)
    detector.own_answers_ = fit_own_answers(
        tuple(detector.feature_names_in_),
        features_of(detector, labelled.pairs, own_source),
        labelled.hallucinated,
        grouped_folds(labelled.hallucinated, labelled.groups, detector.folds, detector.seed),
        features_of(detector, given, given_source),
        questions=sorted(set(question_marks(labelled.pairs))),
        strength=detector.strength,
        seed=detector.seed,
    )


def measure_own_answers(
    detector: Detector,
    own: Sequence[Pair],
    tested: Mapping[str, Sequence[Pair]],
    *,
    source: StateSource | None = None,
    baselines: Sequence[str],
) -> dict[str, dict[str, Any]]:
    """Measure a detector on its language model's own answers, with and without what it learned from such.

    Parameters
    ----------
    detector : Detector
        What `learn_own_answers` has changed.
    own : sequence of Pair
        The same; the baselines learn from them alone.
    tested : mapping of str to sequence of Pair
        Other own answers, labelled, by name.
    source : StateSource, optional
        Of all of them.
    baselines : sequence of str
        Their names.

    Returns
    -------
    dict
        As `evaluate_transfer` gives, by name; `ALONE` has the metrics and mean probability of the detector
        without.
    """
    known, seed = learned_from(own), detector.seed
    results = evaluate_transfer(detector, known, tested, source=source, baselines=baselines, seed=seed)
    part, detector.own_answers_ = detector.own_answers_, None
    try:
        alone = evaluate_transfer(detector, known, tested, source=source, baselines=(), seed=seed)
    finally:
        detector.own_answers_ = part
    for name, without in alone.items():
        results[name][ALONE] = {**without["metrics"], "mean": {"value": without["mean"]}}
    return results


def learned_from(own: Sequence[Pair]) -> list[Pair]:
    """Those of a language model's own answers that are not about held-out kinds."""
    return [pair for pair in own if pair.topic not in HELD_OUT_KINDS]


def features_of(detector: Detector, pairs: Sequence[Pair], source: StateSource) -> npt.NDArray[np.float64]:
    """Features (pairs, features) that a fitted detector's classifiers read."""
    learned, tokenized = detector.learned, detector.tokenize(pairs)
    chunks = (tokenized[start : start + _CHUNK] for start in range(0, len(tokenized), _CHUNK))
    return np.concatenate(
        [learned.measure(learned.record(source, chunk, detector.measures)) for chunk in chunks]
    )
