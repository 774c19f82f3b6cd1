"""Transfer: a detector trained on some topics, measured on others, beside baselines trained alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from halluscope.detector import Detector
from halluscope.detector.labelled import LabelledPairs, check_labelled
from halluscope.evaluation.baselines import BASELINES
from halluscope.evaluation.bootstrap import evaluate_scores, paired_gains
from halluscope.evaluation.recorded import RecordedPairs, needed
from halluscope.evaluation.recording import record_pairs
from halluscope.lm.stored import StateSource
from halluscope.records import Pair, as_pairs


def evaluate_transfer(
    detector: Detector,
    known: Sequence[Pair],
    unknown: Mapping[str, Sequence[Pair]],
    *,
    recorded: RecordedPairs | None = None,
    source: StateSource | None = None,
    baselines: Sequence[str] = ("length", "logprob", "best-layer probe"),
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """Measure a fitted detector on pairs from outside of its training.

    Parameters
    ----------
    detector : Detector
        Fitted on `known`.
    known : sequence of Pair
        What it was trained on; the baselines, with every choice that they make, are trained on the same.
    unknown : mapping of str to sequence of Pair
        Labelled pairs of other topics, by name.
    recorded : RecordedPairs, optional
        What `record_pairs` gave for `known`, if it is at hand, with the extras that the baselines need.
    source : StoredStates, optional
        Of all pairs: the model is then not run.
    baselines : sequence of str
        Names from `BASELINES`.
    seed : int
        For the bootstrap.

    Returns
    -------
    dict
        For each name of `unknown`: ``n``, ``n_groups``, the share ``hallucinated`` and the ``mean``
        probability, ``metrics``, ``baselines`` and ``gains``, each metric with ``value``, ``low`` and
        ``high``.
    """
    fitted = {name: BASELINES[name]() for name in baselines}
    extras = needed(fitted.values())
    if fitted:
        labelled = check_labelled(as_pairs(known), None, None)
        if recorded is None:
            recorded = _record(detector, labelled, source, extras)
        for baseline in fitted.values():
            baseline.fit(recorded, labelled.hallucinated, labelled.groups.tolist())
    results = {}
    for topic, pairs in unknown.items():
        tested = check_labelled(as_pairs(pairs), None, None)
        y, groups = tested.hallucinated, tested.groups.tolist()
        scores = _judge(detector, tested, source)
        others: dict[str, np.ndarray[Any, Any]] = {}
        if fitted:
            new = _record(detector, tested, source, extras)
            others = {name: baseline.predict_proba(new)[:, 1] for name, baseline in fitted.items()}
        results[topic] = {
            "n": len(y),
            "n_groups": len(set(groups)),
            "hallucinated": float(y.mean()),
            "mean": float(scores.mean()),
            "metrics": evaluate_scores(y, scores, groups, seed=seed),
            "baselines": {name: evaluate_scores(y, p, groups, seed=seed) for name, p in others.items()},
            "gains": paired_gains(y, scores, others, groups, seed=seed),
        }
    return results


def _judge(
    detector: Detector, labelled: LabelledPairs, source: StateSource | None
) -> npt.NDArray[np.float64]:
    """Probability (pairs,) of being hallucinated."""
    if source is None:
        return detector.predict_proba(labelled.pairs)[:, 1]
    learned, tokenized = detector.learned, detector.tokenize(labelled.pairs)
    return learned.judge(learned.measure(learned.record(source, tokenized, detector.measures)))[:, 1]


def _record(
    detector: Detector, labelled: LabelledPairs, source: StateSource | None, extras: Sequence[str]
) -> RecordedPairs:
    """What the baselines read of pairs as the detector puts them to the language model."""
    return record_pairs(
        detector.lm, labelled, source, extras=extras, primer=detector.primer_, progress=detector.progress
    )
