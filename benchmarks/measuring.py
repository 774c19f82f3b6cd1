"""Measuring the detector and all baselines on a corpus, each kept on disk as soon as it is there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.cache import OURS, WITH_PRIOR, new_baseline, save
from benchmarks.corpus import Corpus, corpus_scores
from halluscope import Detector
from halluscope.evaluation.comparison import CorpusScores
from halluscope.evaluation.evaluate import ABLATIONS, WITHOUT_PRIOR, cross_validate
from halluscope.evaluation.folds import out_of_fold
from halluscope.folds import grouped_folds
from halluscope.progress import progress_bar

FOLDS = 5
RESAMPLES = 4000
"""Of the bootstrap: enough for p-values that stay below 0.05 when they are corrected for all baselines."""
DETECTORS = (OURS, WITH_PRIOR, *ABLATIONS)
"""The detector and its variants."""


def measure(corpus: Corpus, seed: int, baselines: Sequence[str]) -> None:
    """Keep the out-of-fold probabilities of the detector, its variants and some baselines for one seed."""
    missing = [method for method in (*DETECTORS, *baselines) if not corpus.path(method, seed).exists()]
    if not missing:
        return
    y, groups = corpus.labelled.hallucinated, corpus.labelled.groups.tolist()
    folds = grouped_folds(y, groups, FOLDS, seed)
    recorded = corpus.recorded(missing)
    if set(DETECTORS) & set(missing):
        detector = Detector(corpus.lm, prior=corpus.heeds_prior, primer=corpus.primer, seed=seed)
        own, others = cross_validate(detector, corpus.labelled, recorded, folds, corpus.states)
        found = {OURS: others.pop(WITHOUT_PRIOR, own), WITH_PRIOR: own, **others}
        for method, probability in found.items():
            save(corpus.path(method, seed), probability)
    missing = [method for method in missing if method not in DETECTORS]
    with progress_bar("Baselines", len(missing)) as advance:
        for method in missing:
            baseline = new_baseline(method)()
            if "random_state" in baseline.get_params():
                baseline.set_params(random_state=seed)
            save(corpus.path(method, seed), out_of_fold(baseline, recorded, y, groups, folds))
            advance(1)


def load_scores(corpus: Corpus, seeds: int, baselines: Sequence[str]) -> CorpusScores:
    """What `measure` has kept for the first seeds."""
    scores = {
        method: np.stack([np.load(corpus.path(method, seed)) for seed in range(seeds)])
        for method in (*DETECTORS, *baselines)
    }
    return corpus_scores(corpus.name, corpus.labelled, scores, resamples=RESAMPLES)
