"""Measuring what is left of the detector on a corpus when something is taken from it, each kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.cache import DETECTOR, OURS, digest, save
from benchmarks.corpus import Corpus
from halluscope import Detector
from halluscope.detector.labelled import LabelledPairs
from halluscope.detector.readings import CHANNELS
from halluscope.evaluation.ablations import (
    cut_to,
    feature_ablations,
    random_readings,
    shuffle_both,
    shuffle_layers,
    shuffle_tokens,
)
from halluscope.evaluation.evaluate import ABLATIONS, cross_validate
from halluscope.features import feature_names
from halluscope.folds import grouped_folds
from halluscope.progress import progress_bar

FOLDS, SEED = 5, 0
PERMUTED = "labels permuted"
SHORT = 10
"""Percentile of the answers' lengths that all are cut to: nine in ten are then equally long."""

Scores = npt.NDArray[np.float64]


def measure(corpus: Corpus) -> dict[str, Scores]:
    """Out-of-fold probabilities of the detector (`OURS`) and of every ablation, by name."""
    kinds: dict[str, Callable[[Corpus], dict[str, Scores]]] = {
        OURS: _features_left,
        "tokens shuffled": lambda c: _changed(c, "tokens shuffled", transform=shuffle_tokens),
        "layers shuffled": lambda c: _changed(c, "layers shuffled", transform=shuffle_layers),
        "both shuffled": lambda c: _changed(c, "both shuffled", transform=shuffle_both),
        "cut to one length": lambda c: _changed(c, "cut to one length", transform=cut_to(_short(c))),
        "random directions": lambda c: _changed(c, "random directions", learn=random_readings),
        PERMUTED: lambda c: _changed(replace(c, labelled=permuted(c)), PERMUTED),
    }
    found: dict[str, Scores] = {}
    sources = (*DETECTOR, "evaluation/ablations.py")
    with progress_bar(f"Ablations of {corpus.name}", len(kinds)) as advance:
        for kind, measured in kinds.items():
            name = f"ablation-{kind}-{digest(sources, [corpus.lm], [corpus.labelled])}.npz"
            path = corpus.cache / name.replace(" ", "-")
            if not path.exists():
                save(path, measured(corpus))
            with np.load(path) as arrays:
                found |= dict(arrays)
            advance(1)
    return found


def permuted(corpus: Corpus) -> LabelledPairs:
    """The pairs with their labels in random order."""
    labels = np.random.default_rng(SEED).permutation(corpus.labelled.hallucinated)
    return replace(corpus.labelled, hallucinated=labels)


def _features_left(corpus: Corpus) -> dict[str, Scores]:
    detector = Detector(corpus.lm, prior=False, seed=SEED)
    channels = (*CHANNELS, *(channel for measure in detector.measures for channel in measure.channels))
    ablations = {**ABLATIONS, **feature_ablations(feature_names(channels))}
    own, others = _cross_validate(corpus, ablations=ablations)
    return {OURS: own, **others}


def _changed(corpus: Corpus, name: str, **changes: Any) -> dict[str, Scores]:
    return {name: _cross_validate(corpus, ablations={}, **changes)[0]}


def _cross_validate(corpus: Corpus, **changes: Any) -> tuple[Scores, dict[str, Scores]]:
    labelled = corpus.labelled
    folds = grouped_folds(labelled.hallucinated, labelled.groups.tolist(), FOLDS, SEED)
    detector = Detector(corpus.lm, prior=False, seed=SEED, progress=False)
    return cross_validate(detector, labelled, corpus.recorded([]), folds, corpus.states, **changes)


def _short(corpus: Corpus) -> int:
    lengths = [len(pair.tokens) for pair in corpus.tokenized]
    return max(1, int(np.percentile(lengths, SHORT)))
