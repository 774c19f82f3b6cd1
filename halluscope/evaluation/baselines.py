"""Methods that a surface detector has to beat, fitted and measured on the very same folds and recordings.

Each is a classifier with probabilities, so that calibration can be compared too, and learns even its sign on
the training part: a baseline whose score points the other way on the test part falls below one half.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import hstack
from scipy.special import expit
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from halluscope.evaluation.act_vit import ActVit
from halluscope.evaluation.depth import (
    ChainOfEmbedding,
    LensEntropies,
    ScatterProbe,
    SpectralProbe,
    TransitionProbe,
)
from halluscope.evaluation.directions import MassMean
from halluscope.evaluation.folds import inner_folds
from halluscope.evaluation.linear import choose_strength, logistic, platt, span
from halluscope.evaluation.metrics import auroc
from halluscope.evaluation.networks import Mind, Saplma
from halluscope.evaluation.probes import AllLayerProbe, BestLayerProbe, QuestionProbe
from halluscope.evaluation.recorded import OPENING, PairClassifier, RecordedPairs

Floats = NDArray[Any]
Labels = NDArray[np.bool_]
Codes = NDArray[np.intp]


def lengths(pairs: RecordedPairs) -> Floats:
    """Characters and tokens of each answer, shape (n, 2)."""
    characters = [len(answer) for answer in pairs.answers]
    return np.column_stack([characters, [len(tokens) for tokens in pairs.logprobs]])


def mean_logprob(pairs: RecordedPairs) -> Floats:
    """Mean log-probability of the answer's tokens, the negative logarithm of its perplexity, shape (n, 1)."""
    return np.array([[np.mean(tokens)] for tokens in pairs.logprobs])


def summed_logprob(pairs: RecordedPairs) -> Floats:
    """Log-probability of the whole answer: the sum over its tokens, so it falls with length, shape (n, 1)."""
    return np.array([[np.sum(tokens)] for tokens in pairs.logprobs])


def min_logprob(pairs: RecordedPairs) -> Floats:
    """Log-probability of the answer's least expected token, shape (n, 1)."""
    return np.array([[np.min(tokens)] for tokens in pairs.logprobs])


def mean_entropy(pairs: RecordedPairs) -> Floats:
    """Mean entropy of the distributions that the answer's tokens were drawn from, shape (n, 1)."""
    return np.array([[np.mean(tokens)] for tokens in pairs.entropies])


class NumbersBaseline(PairClassifier):
    """Logistic regression on one or two numbers of an answer.

    Parameters
    ----------
    numbers : callable
        From `RecordedPairs` to an array of shape (n, columns).
    """

    def __init__(self, numbers: Callable[[RecordedPairs], Floats]) -> None:
        self.numbers = numbers

    def _fit(self, pairs: RecordedPairs, labels: Labels, codes: Codes) -> None:
        self._model = make_pipeline(StandardScaler(), LogisticRegression()).fit(self.numbers(pairs), labels)

    def _probability(self, pairs: RecordedPairs) -> Floats:
        return np.asarray(self._model.predict_proba(self.numbers(pairs))[:, 1])


class TextBaseline(PairClassifier):
    """Logistic regression on word and character n-grams of prompt and answer, without any language model.

    What it reaches can be read off the wording, such as a style that only one kind of answer has.

    Parameters
    ----------
    inner_folds : int, default 3
        Grouped folds for the choice of the penalty.
    random_state : int, default 0
        Seed of the folds.
    """

    def __init__(self, inner_folds: int = 3, random_state: int = 0) -> None:
        self.inner_folds = inner_folds
        self.random_state = random_state

    def _fit(self, pairs: RecordedPairs, labels: Labels, codes: Codes) -> None:
        folds = inner_folds(labels, codes, self.inner_folds, self.random_state)
        self._vectorizers = [
            # The pattern keeps words of one character: an answer may be a single digit.
            TfidfVectorizer(token_pattern=r"\w+", ngram_range=(1, 2), sublinear_tf=True),  # noqa: S106
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
        ]
        texts = _texts(pairs)
        for vectorizer in self._vectorizers:
            vectorizer.fit(texts)
        rows = self._rows(pairs)
        basis = span((rows @ rows.T).toarray())
        choice = choose_strength(basis.coordinates, labels, folds)
        self.strength_ = choice.strength
        self._platt = platt(choice.logits, labels)
        model = logistic(self.strength_).fit(basis.coordinates, labels)
        self._intercept = float(model.intercept_[0])
        self.coef_ = rows.T @ (basis.dual @ model.coef_[0])

    def _rows(self, pairs: RecordedPairs) -> Any:
        texts = _texts(pairs)
        # Each vectoriser returns rows of length one, so the two together are divided by the root of two.
        return hstack([vectorizer.transform(texts) for vectorizer in self._vectorizers]).tocsr() / np.sqrt(2)

    def _probability(self, pairs: RecordedPairs) -> Floats:
        slope, intercept = self._platt
        return np.asarray(expit(slope * (self._rows(pairs) @ self.coef_ + self._intercept) + intercept))


class Stack(PairClassifier):
    """Gradient boosting over the cheap numbers and the out-of-fold scores of three linear probes.

    The strongest opponent: what a surface adds to everything that is known without it shows against this one.
    The numbers are lengths, log-probabilities and entropy, the probes those of one layer, of all layers, and
    of the question only. The boosting learns from probe scores of pairs that the probes were not fitted on
    (Wolpert 1992): those from the very folds by which each probe chose its layer and penalty, which spares
    fitting every probe anew, with choices of its own, for each fold. For new pairs the probes fitted on the
    whole training part are used. The number of trees is chosen by the same grouped folds.

    Parameters
    ----------
    inner_folds : int, default 3
        Grouped folds for the scores and for the number of trees.
    trees : int, default 150
        Largest number of trees.
    random_state : int, default 0
        Seed of the folds, the probes and the boosting.
    """

    needs: ClassVar[tuple[str, ...]] = (OPENING,)

    def __init__(self, inner_folds: int = 3, trees: int = 150, random_state: int = 0) -> None:
        self.inner_folds = inner_folds
        self.trees = trees
        self.random_state = random_state

    def _fit(self, pairs: RecordedPairs, labels: Labels, codes: Codes) -> None:
        folds = inner_folds(labels, codes, self.inner_folds, self.random_state)
        self._probes = [
            probe(inner_folds=self.inner_folds, random_state=self.random_state).fit(pairs, labels, codes)
            for probe in (BestLayerProbe, AllLayerProbe, QuestionProbe)
        ]
        rows = _numbers_and(pairs, [probe.held_out_ for probe in self._probes])
        boosting = HistGradientBoostingClassifier(
            learning_rate=0.05,
            max_iter=self.trees,
            max_leaf_nodes=6,
            l2_regularization=1.0,
            early_stopping=False,  # its own validation split would ignore the groups
            random_state=self.random_state,
        )
        gains = np.zeros(self.trees)
        for train, test in folds:
            staged = clone(boosting).fit(rows[train], labels[train]).staged_predict_proba(rows[test])
            gains += [auroc(labels[test], probability[:, 1]) for probability in staged]
        self.trees_ = int(np.argmax(gains)) + 1
        self._model = boosting.set_params(max_iter=self.trees_).fit(rows, labels)

    def _probability(self, pairs: RecordedPairs) -> Floats:
        scores = [probe.predict_proba(pairs)[:, 1] for probe in self._probes]
        return np.asarray(self._model.predict_proba(_numbers_and(pairs, scores))[:, 1])


#: What `evaluate` compares with, under the names that reports use; each call makes a fresh, unfitted one.
BASELINES: dict[str, Callable[[], PairClassifier]] = {
    "length": lambda: NumbersBaseline(lengths),
    "text": TextBaseline,
    "logprob": lambda: NumbersBaseline(mean_logprob),
    "logprob-min": lambda: NumbersBaseline(min_logprob),
    "entropy": lambda: NumbersBaseline(mean_entropy),
    "best-layer probe": BestLayerProbe,
    "all-layer probe": AllLayerProbe,
    "SAPLMA": Saplma,
    "stack": Stack,
}

#: Further methods under the names they were published by, for benchmarks; what some of them need beside the
#: states, they say in ``needs``.
PUBLISHED: dict[str, Callable[[], PairClassifier]] = {
    "question-only probe": QuestionProbe,
    "summed logprob": lambda: NumbersBaseline(summed_logprob),
    "mass-mean": MassMean,
    "MIND": Mind,
    "DRIFT": TransitionProbe,
    "CoE": ChainOfEmbedding,
    "HSAD": SpectralProbe,
    "LLM-Check": ScatterProbe,
    "TriLens": LensEntropies,
    "ACT-ViT": ActVit,
}


def _texts(pairs: RecordedPairs) -> list[str]:
    return [f"{prompt}\n{answer}" for prompt, answer in zip(pairs.prompts, pairs.answers, strict=True)]


def _numbers_and(pairs: RecordedPairs, scores: list[Floats]) -> Floats:
    numbers = [number(pairs) for number in (lengths, mean_logprob, min_logprob, mean_entropy)]
    return np.column_stack([*numbers, *scores])
