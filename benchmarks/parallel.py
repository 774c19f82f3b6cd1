"""Corpora worked on at once, each in a process with its share of the cores."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import joblib

from benchmarks.corpus import Corpus
from halluscope import LanguageModel
from halluscope.detector.labelled import LabelledPairs
from halluscope.lm.primer import Primer

Work = Callable[[Corpus], object]


def each_corpus(work: Work, corpora: Sequence[Corpus], *, jobs: int, model: str) -> Iterator[str]:
    """Do some work on every corpus, and give each one's name as soon as it is done.

    Parameters
    ----------
    work : callable
        Keeps on disk what it finds. A function of a module that can be imported, or a partial of one.
    corpora : sequence of Corpus
    jobs : int
        Processes; each loads the language model. With one, the work is done here.
    model : str
        What the language model is loaded by.
    """
    if jobs == 1:
        for corpus in corpora:
            work(corpus)
            yield corpus.name
        return
    threads = max(1, joblib.cpu_count() // jobs)  # more threads than cores would slow all of them down
    with joblib.parallel_config(backend="loky", inner_max_num_threads=threads):
        parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")
        yield from parallel(
            joblib.delayed(_work_there)(
                work, model, corpus.name, corpus.labelled, corpus.cache, corpus.primer
            )
            for corpus in corpora
        )


def _work_there(
    work: Work, model: str, name: str, labelled: LabelledPairs, cache: Path, primer: Primer
) -> str:
    work(Corpus(name, _language_model(model), labelled, cache, primer))
    return name


@functools.lru_cache(maxsize=1)
def _language_model(name: str) -> LanguageModel:
    """Loaded once in a process."""
    return LanguageModel.from_pretrained(name)
