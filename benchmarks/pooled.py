"""Several corpora as one training set, and one corpus judged by detectors that were trained elsewhere.

Everything comes from recorded states: the language model is not run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt

from benchmarks.corpus import Corpus, needs_of, subset
from halluscope import Detector, LanguageModel
from halluscope.detector.cross_fitting import measure_with
from halluscope.detector.labelled import LabelledPairs, question_marks
from halluscope.evaluation.evaluate import cross_validate
from halluscope.evaluation.recorded import RecordedPairs
from halluscope.evaluation.recording import record_pairs
from halluscope.folds import group_codes
from halluscope.lm.primer import PRIMER
from halluscope.lm.recording import LayerState
from halluscope.lm.stored import StateSource
from halluscope.lm.tokens import TokenizedPair

Rows = npt.NDArray[np.intp]
Scores = npt.NDArray[np.float64]
Visitor = Callable[[list[int]], Callable[[LayerState], None]]


@dataclass(frozen=True, eq=False)
class Pool:
    """Rows of one or more corpora on one language model, to be learned from together.

    Parameters
    ----------
    name : str
    corpora : sequence of Corpus
        At least one.
    rows : sequence of ndarray of int
        Of each corpus.
    """

    name: str
    corpora: Sequence[Corpus]
    rows: Sequence[Rows]

    @property
    def lm(self) -> LanguageModel:
        """The language model that they were recorded on."""
        return self.corpora[0].lm

    @cached_property
    def labelled(self) -> LabelledPairs:
        """The pairs of all corpora, one corpus after another; groups of the same name are one group."""
        parts = [subset(corpus.labelled, rows) for corpus, rows in zip(self.corpora, self.rows, strict=True)]
        return LabelledPairs(
            [pair for part in parts for pair in part.pairs],
            np.concatenate([part.hallucinated for part in parts]),
            np.concatenate([part.groups for part in parts]),
        )

    @cached_property
    def states(self) -> ChainedStates:
        """Recorded states of these pairs."""
        return ChainedStates(
            [
                (corpus.states, [corpus.tokenized[row] for row in rows])
                for corpus, rows in zip(self.corpora, self.rows, strict=True)
            ]
        )

    def recorded(self, methods: Sequence[str]) -> RecordedPairs:
        """What the detector and these baselines learn from; baselines that read what states show."""
        return record_pairs(
            self.lm, self.labelled, self.states, extras=sorted(needs_of(methods)), primer=PRIMER
        )


class ChainedStates:
    """Several sources of states as one, each of which is visited with its own pairs.

    Parameters
    ----------
    parts : sequence of (StateSource, sequence of TokenizedPair)
        Sources of one language model, and the pairs that each of them shows.
    """

    def __init__(self, parts: Sequence[tuple[StateSource, Sequence[TokenizedPair]]]) -> None:
        self._sources = [source for source, _ in parts]
        self._home = {
            (pair.start, pair.ids): number for number, (_, pairs) in enumerate(parts) for pair in pairs
        }

    @property
    def n_layers(self) -> int:
        """Rows of a surface: decoder blocks + 1."""
        return self._sources[0].n_layers

    @property
    def hidden_size(self) -> int:
        """Width of the residual stream."""
        return self._sources[0].hidden_size

    def visit(
        self,
        pairs: Sequence[TokenizedPair],
        visitor: Visitor,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Show the states of any of the pairs to a visitor, as `LanguageModel.visit` does."""
        homes = [self._home[pair.start, pair.ids] for pair in pairs]
        for number, source in enumerate(self._sources):
            here = [index for index, home in enumerate(homes) if home == number]
            if here:
                there = [pairs[index] for index in here]
                source.visit(there, partial(_visitor_of, visitor, here), progress=progress)


def _visitor_of(visitor: Visitor, places: list[int], indices: list[int]) -> Callable[[LayerState], None]:
    """The visitor of a batch whose pairs are counted from 0 in their own source."""
    return visitor([places[index] for index in indices])


def make_pool(
    name: str, trained: Sequence[Corpus], tested: Sequence[Corpus], most: int | None = None, seed: int = 0
) -> Pool:
    """Pairs to learn from, none of which asks a question of the corpora that will be tested.

    Parameters
    ----------
    name : str
    trained, tested : sequence of Corpus
        Where pairs are taken from, and whose questions are left out.
    most : int, optional
        Most records of each corpus, whole groups at random; all if not given.
    seed : int
        Of the choice.
    """
    asked = {mark for corpus in tested for mark in question_marks(corpus.labelled.pairs)}
    rows = []
    for corpus in trained:
        marks = question_marks(corpus.labelled.pairs)
        unasked = np.flatnonzero([mark not in asked for mark in marks])
        rows.append(some_groups(unasked, corpus.labelled.groups[unasked], most, seed))
    return Pool(name, trained, rows)


def some_groups(
    rows: Rows, groups: Sequence[str] | npt.NDArray[np.object_], most: int | None, seed: int
) -> Rows:
    """Rows of random whole groups, as many as come to at most so many rows, in the order of the rows."""
    if most is None:
        return rows
    codes = group_codes(groups)
    sizes = np.bincount(codes)
    order = np.random.default_rng(seed).permutation(len(sizes))
    chosen = order[np.cumsum(sizes[order]) <= most]
    return rows[np.isin(codes, chosen)]


def fit_detector(pool: Pool, recorded: RecordedPairs, *, prior: bool = False, seed: int = 0) -> Detector:
    """The detector that `Detector.fit` gives on these pairs, from what was recorded of them."""
    detector = Detector(pool.lm, prior=prior, seed=seed)
    # without folds there is nothing to be tested: what is left is the fit on all pairs
    cross_validate(detector, pool.labelled, recorded, [], pool.states, fit=True, ablations={})
    return detector


def judge_both(detector: Detector, corpus: Corpus) -> tuple[Scores, Scores]:
    """Probabilities (pairs,) by what a detector that was just fitted learned itself, and with its prior."""
    learned = detector.learned
    features = learned.measure(learned.record(corpus.states, corpus.tokenized, detector.measures))
    classifier = detector.classifier_
    alone = classifier.without_prior()
    return alone.predict_proba(features)[:, 1], classifier.predict_proba(features)[:, 1]


def judge(detectors: Sequence[Detector], corpus: Corpus) -> list[Scores]:
    """What fitted detectors say about all answers of a corpus, from one pass over its states.

    Parameters
    ----------
    detectors : sequence of Detector
        At least one, all on the corpus' language model.
    corpus : Corpus

    Returns
    -------
    list of ndarray of shape (pairs,)
        Probability of *hallucinated* for each detector.
    """
    reading_of = np.repeat(np.arange(len(detectors))[:, None], len(corpus.tokenized), axis=1)
    readings = [detector.reading_ for detector in detectors]
    _, features = measure_with(corpus.states, corpus.tokenized, detectors[0].measures, readings, reading_of)
    return [
        detector.classifier_.predict_proba(rows)[:, 1]
        for detector, rows in zip(detectors, features, strict=True)
    ]
