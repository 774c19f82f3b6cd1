"""A labelled corpus as one language model records it, with all that is slow kept on disk."""

from __future__ import annotations

import os
import random
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.cache import (
    PASSES,
    RECORDING,
    WITH_PRIOR,
    Array,
    digest,
    is_baseline,
    new_baseline,
    path_of,
    save,
    sources_of_pass,
)
from halluscope import Detector, LanguageModel
from halluscope.detector.labelled import LabelledPairs, check_labelled
from halluscope.evaluation.comparison import CorpusScores
from halluscope.evaluation.extras import EXTRAS
from halluscope.evaluation.recorded import RecordedPairs, needed
from halluscope.evaluation.recording import record_pairs
from halluscope.lm.primer import PRIMER, Primer
from halluscope.lm.stored import StoredStates
from halluscope.lm.tokens import TokenizedPair
from halluscope.records import Pair, read_records

GIVEN_AWAY = ("halueval_qa", "truthfulqa", "wiki_sentences")
"""Corpora whose wording alone gives the label away: shown, not counted."""
SHIPPED_KNOWS = ("cities", "companies", "elements", "facts", "spanish_words", "trivia")
"""Corpora that ask for facts of the kinds that shipped detectors learned from: measured without their say."""
GIVEN_AWAY_LIMIT = 300
"""Most records of these: enough to show what wording does, and their contexts are long."""

WIDE_UNEMBEDDING = ("gemma-3-270m",)
"""Models whose unembedding costs more than all blocks: predictions are recorded at the last layer alone."""


def read_corpora(
    lm: LanguageModel,
    paths: Sequence[Path],
    cache: Path,
    *,
    limit: int,
    only: Sequence[str] | None = None,
    primer: Primer = PRIMER,
) -> list[Corpus]:
    """The labelled files of some folders, in the order of their names.

    Parameters
    ----------
    lm : LanguageModel
    paths : sequence of Path
        Folders of labelled ``.jsonl`` files.
    cache : Path
        For recorded states and probabilities.
    limit : int
        Records of a file from which on no further group is taken; at most `GIVEN_AWAY_LIMIT` for those in
        `GIVEN_AWAY`.
    only : sequence of str, optional
        Names of files, without ``.jsonl``.
    primer : sequence of (str, str)
        What every pair is read behind.
    """
    files = sorted(
        file
        for path in paths
        for file in path.glob("*.jsonl")
        if not file.name.endswith(".questions.jsonl") and (not only or file.stem in only)
    )
    if not files:
        raise SystemExit(f"no labelled .jsonl files to measure in {', '.join(map(str, paths))}")
    corpora = []
    for file in files:
        most = min(limit, GIVEN_AWAY_LIMIT) if file.stem in GIVEN_AWAY else limit
        records = whole_groups(list(read_records(file, labelled=True)), most, seed=0)
        labelled = check_labelled(records, None, None)
        kept = cache / lm.name / f"{file.stem}{_mark(primer)}"
        corpora.append(Corpus(file.stem, lm, labelled, kept, primer))
    return corpora


def _mark(primer: Primer) -> str:
    """What tells the folder of a corpus behind another primer than the default one."""
    return "" if primer == PRIMER else f"-{zlib.crc32(repr(primer).encode()):08x}"


def whole_groups(pairs: list[Pair], limit: int, seed: int) -> list[Pair]:
    """A random part of the pairs, of about `limit`, that splits no group."""
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair.fold_group, []).append(pair)
    order = sorted(groups)
    random.Random(seed).shuffle(order)  # noqa: S311 - a sample, not a secret
    chosen: list[Pair] = []
    for group in order:
        if len(chosen) >= limit:
            break
        chosen += groups[group]
    return chosen


@dataclass(frozen=True, eq=False)
class Corpus:
    """One corpus on one language model.

    Parameters
    ----------
    name : str
    lm : LanguageModel
    labelled : LabelledPairs
    cache : Path
        Folder for its states and probabilities.
    primer : sequence of (str, str)
        What every pair is read behind.
    """

    name: str
    lm: LanguageModel
    labelled: LabelledPairs
    cache: Path
    primer: Primer = PRIMER

    @cached_property
    def tokenized(self) -> list[TokenizedPair]:
        """Tokens of the pairs as detectors read them: behind the primer."""
        return self.lm.tokenize_pairs(self.labelled.pairs, primer=self.primer)

    @cached_property
    def states(self) -> StoredStates:
        """Recorded states on disk, recorded now if they are not there."""
        folder = self.cache / f"states-{self._digest(RECORDING)}"
        if not folder.exists():
            every = None if self.lm.name in WIDE_UNEMBEDDING else 1
            StoredStates.record(self.lm, self.tokenized, folder, lens_every=every)
        os.utime(folder)  # used last: removed last
        return StoredStates(folder)

    def recorded(self, methods: Sequence[str]) -> RecordedPairs:
        """What these methods read."""
        needs = needs_of(methods)
        recorded = record_pairs(
            self.lm, self.labelled, self.states, extras=sorted(needs & set(EXTRAS)), primer=self.primer
        )
        for names, record in PASSES.items():
            if needs & set(names):
                arrays = self._pass(names, record)
                recorded = replace(recorded, extras={**recorded.extras, **arrays})
        return recorded

    def path(self, method: str, seed: int) -> Path:
        """Where the out-of-fold probabilities of a baseline, of the detector or of an ablation are kept."""
        name = f"{seed}-{self.prior_mark}" if method == WITH_PRIOR else str(seed)
        return path_of(self.cache, method, name, [self.lm], [self.labelled])

    @property
    def heeds_prior(self) -> bool:
        """Whether the shipped detector may have a say: not where it knows such facts."""
        return self.name not in SHIPPED_KNOWS

    @cached_property
    def prior_mark(self) -> str:
        """What tells the shipped detector that has a say from another one."""
        prior = Detector(self.lm, prior=self.heeds_prior, primer=self.primer).find_prior()
        return "none" if prior is None else f"{zlib.crc32(prior.reading.directions.numpy().tobytes()):08x}"

    def _pass(self, names: Sequence[str], record: Callable[..., dict[str, Any]]) -> dict[str, Array]:
        sources = (*RECORDING, *sources_of_pass(record))
        path = self.cache / f"{'-'.join(names)}-{self._digest(sources)}.npz"
        if not path.exists():
            save(path, record(self.lm, self.labelled.pairs))
        with np.load(path) as arrays:
            return dict(arrays)

    def _digest(self, sources: Sequence[str]) -> str:
        return digest(sources, [self.lm], [self.labelled])


def needs_of(methods: Sequence[str]) -> set[str]:
    """Names of what these methods read beside pooled states."""
    return set(needed(new_baseline(method)() for method in methods if is_baseline(method)))


def measurable(methods: Sequence[str], model: str) -> list[str]:
    """Methods but those that read predictions of all layers where only the last are kept."""
    wide = model in WIDE_UNEMBEDDING
    return [method for method in methods if not (wide and "lens entropy" in needs_of([method]))]


def corpus_scores(
    name: str, labelled: LabelledPairs, scores: Mapping[str, Array], *, resamples: int = 1000
) -> CorpusScores:
    """What methods say of a corpus' pairs, each (seeds, pairs), resampled as no other corpus is."""
    seed = zlib.crc32(name.encode())
    return CorpusScores(labelled.hallucinated, labelled.groups.tolist(), scores, resamples, seed)


def subset(labelled: LabelledPairs, rows: npt.NDArray[np.intp]) -> LabelledPairs:
    """Some of the pairs, in the order of the rows."""
    return LabelledPairs(
        [labelled.pairs[row] for row in rows], labelled.hallucinated[rows], labelled.groups[rows]
    )
