"""Measuring the detector and all baselines on a corpus, each kept on disk as soon as it is there."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import joblib
import numpy as np

from benchmarks.cache import METHODS, OURS, WITH_PRIOR, save
from benchmarks.corpus import SHIPPED_KNOWS, Corpus
from halluscope import Detector, LanguageModel
from halluscope.detector.labelled import LabelledPairs
from halluscope.evaluation.comparison import CorpusScores
from halluscope.evaluation.evaluate import ABLATIONS, WITHOUT_PRIOR, cross_validate
from halluscope.evaluation.folds import out_of_fold
from halluscope.folds import grouped_folds
from halluscope.progress import progress_bar

FOLDS = 5
DETECTORS = (OURS, WITH_PRIOR, *ABLATIONS)
"""The detector and its variants."""


def measure_all(corpora: Sequence[Corpus], seed: int, *, jobs: int, model: str) -> Iterator[str]:
    """Measure corpora, several at once, and give each one's name as soon as it is done.

    Parameters
    ----------
    corpora : sequence of Corpus
    seed : int
        As for `measure`.
    jobs : int
        Processes; each loads the language model, and gets its share of the cores.
    model : str
        What the language model is loaded by.
    """
    if jobs == 1:
        for corpus in corpora:
            measure(corpus, seed)
            yield corpus.name
        return
    threads = max(1, joblib.cpu_count() // jobs)  # more threads than cores would slow all of them down
    with joblib.parallel_config(backend="loky", inner_max_num_threads=threads):
        work = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")
        yield from work(
            joblib.delayed(_measure_there)(model, corpus.name, corpus.labelled, corpus.cache, seed)
            for corpus in corpora
        )


def _measure_there(model: str, name: str, labelled: LabelledPairs, cache: Path, seed: int) -> str:
    measure(Corpus(name, _language_model(model), labelled, cache), seed)
    return name


@functools.lru_cache(maxsize=1)
def _language_model(name: str) -> LanguageModel:
    """Loaded once in a process."""
    return LanguageModel.from_pretrained(name)


def measure(corpus: Corpus, seed: int) -> None:
    """Keep the out-of-fold probabilities of the detector, its ablations and all baselines for one seed."""
    missing = [method for method in (*DETECTORS, *METHODS) if not corpus.path(method, seed).exists()]
    if not missing:
        return
    y, groups = corpus.labelled.hallucinated, corpus.labelled.groups.tolist()
    folds = grouped_folds(y, groups, FOLDS, seed)
    recorded = corpus.recorded(missing)
    if set(DETECTORS) & set(missing):
        detector = Detector(corpus.lm, prior=corpus.name not in SHIPPED_KNOWS, seed=seed)
        own, others = cross_validate(detector, corpus.labelled, recorded, folds, corpus.states)
        found = {OURS: others.pop(WITHOUT_PRIOR, own), WITH_PRIOR: own, **others}
        for method, probability in found.items():
            save(corpus.path(method, seed), probability)
    baselines = [method for method in missing if method in METHODS]
    with progress_bar("Baselines", len(baselines)) as advance:
        for method in baselines:
            baseline = METHODS[method]()
            if "random_state" in baseline.get_params():
                baseline.set_params(random_state=seed)
            save(corpus.path(method, seed), out_of_fold(baseline, recorded, y, groups, folds))
            advance(1)


def load_scores(corpus: Corpus, seeds: int) -> CorpusScores:
    """What `measure` has kept for the first seeds."""
    scores = {
        method: np.stack([np.load(corpus.path(method, seed)) for seed in range(seeds)])
        for method in (*DETECTORS, *METHODS)
    }
    return CorpusScores(corpus.labelled.hallucinated, corpus.labelled.groups.tolist(), scores)
