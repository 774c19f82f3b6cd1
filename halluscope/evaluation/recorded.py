"""What the baselines see: answers with the log-probabilities and hidden states recorded for them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from halluscope.detector.states import POOLINGS
from halluscope.errors import InputError
from halluscope.folds import group_codes

Floats = NDArray[Any]

#: Name of the states at the token before the answer: what the question alone has led to.
OPENING = "opening"


@dataclass(frozen=True, eq=False)
class RecordedPairs:
    """Pairs of prompt and answer with what one pass of the language model recorded about them.

    All baselines read from the same recording, so that they differ in method and in nothing else. Parts of a
    recording share its states, which can be gigabytes, and copy only what is asked for.

    Parameters
    ----------
    answers, prompts : list of str
        The texts; the prompt as the language model saw it.
    logprobs : list of ndarray, each of shape (answer tokens,)
        Log-probability of each answer token under the language model.
    entropies : list of ndarray, each of shape (answer tokens,)
        Entropy of the distribution that each answer token was drawn from.
    states : ndarray of float32, shape (recorded pairs, 3, layers, d)
        Residual stream pooled over the answer tokens, in the order of `halluscope.detector.states.POOLINGS`;
        layer 0 is the embedding.
    rows : ndarray of int, optional
        Which of the recorded pairs these are; all if not given.
    extras : mapping of str to ndarray of shape (recorded pairs, ...), optional
        What only some baselines read, by name.

    Raises
    ------
    InputError
        Where the fields disagree in length or an answer has no tokens.
    """

    answers: list[str]
    prompts: list[str]
    logprobs: list[Floats]
    entropies: list[Floats]
    states: Floats
    rows: NDArray[np.intp] | None = None
    extras: Mapping[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n_rows = len(self.states) if self.rows is None else len(self.rows)
        texts = ("answers", "prompts", "logprobs", "entropies")
        lengths = {name: len(getattr(self, name)) for name in texts} | {"states": n_rows}
        extras = {name: len(array) for name, array in self.extras.items()}
        if len(set(lengths.values())) != 1 or any(size != len(self.states) for size in extras.values()):
            lengths |= extras
            raise InputError(f"recorded fields differ in length: {lengths}")
        if self.states.ndim != 4 or self.states.shape[1] != len(POOLINGS):
            raise InputError(
                f"states of shape {self.states.shape}: they must be (pairs, {len(POOLINGS)}, layers, d)"
            )
        for number, (logprobs, entropies) in enumerate(zip(self.logprobs, self.entropies, strict=True)):
            if len(logprobs) == 0 or len(logprobs) != len(entropies):
                raise InputError(
                    f"pair {number} needs one log-probability and one entropy for each answer token"
                )

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def n_layers(self) -> int:
        """Layers of the states, the embedding included."""
        return int(self.states.shape[2])

    def layer(self, pooling: str, layer: int) -> Floats:
        """States of one layer, shape (n, d).

        Parameters
        ----------
        pooling : str
            One of `halluscope.detector.states.POOLINGS`, or "opening" for the token before the answer,
            where that was recorded.
        layer : int
            Which layer; negative numbers count from the last.
        """
        if pooling == OPENING:
            return np.asarray(self._these(self._extra(OPENING)[:, layer]))
        return np.asarray(self._these(self.states[:, POOLINGS.index(pooling), layer]))

    def all_layers(self, pooling: str) -> Floats:
        """States of all layers, shape (n, layers, d); pooling as for `layer`."""
        if pooling == OPENING:
            return self.recorded(OPENING)
        return np.asarray(self._these(self.states[:, POOLINGS.index(pooling)]))

    def recorded(self, name: str) -> Floats:
        """What was recorded under this name, shape (n, ...).

        Raises
        ------
        InputError
            If it was not recorded.
        """
        return np.asarray(self._these(self._extra(name)))

    def take(self, index: ArrayLike) -> RecordedPairs:
        """The pairs with these row numbers, in this order."""
        rows = np.asarray(index, dtype=np.intp)
        return replace(
            self,
            answers=[self.answers[row] for row in rows],
            prompts=[self.prompts[row] for row in rows],
            logprobs=[self.logprobs[row] for row in rows],
            entropies=[self.entropies[row] for row in rows],
            rows=rows if self.rows is None else self.rows[rows],
        )

    def _extra(self, name: str) -> Floats:
        if name not in self.extras:
            raise InputError(
                f"'{name}' was not recorded; recorded extras: {', '.join(self.extras) or 'none'}"
            )
        return self.extras[name]

    def _these(self, recorded: Floats) -> Floats:
        """The rows of these pairs, of an array with a row for every recorded pair."""
        return recorded if self.rows is None else recorded[self.rows]


def needed(classifiers: Iterable[PairClassifier]) -> list[str]:
    """What must have been recorded beside the states for all of these, by name."""
    return sorted({need for classifier in classifiers for need in classifier.needs})


class PairClassifier(ClassifierMixin, BaseEstimator):
    """Scikit-learn's classifier contract over `RecordedPairs`; subclasses fit and score.

    Attributes
    ----------
    classes_ : ndarray of bool
        ``[False, True]``: truthful, hallucinated.
    """

    #: What must have been recorded beside the states: names for the ``extras`` of `record_pairs`.
    needs: ClassVar[tuple[str, ...]] = ()

    def fit(
        self, pairs: RecordedPairs, y: ArrayLike, groups: Iterable[Hashable] | None = None
    ) -> PairClassifier:
        """Fit on recorded pairs.

        Parameters
        ----------
        pairs : RecordedPairs
            The training part.
        y : array-like of bool, shape (n,)
            Whether each answer is hallucinated.
        groups : iterable of hashable, length n, optional
            What the folds inside the training part must not split; the prompt if absent.

        Returns
        -------
        PairClassifier
            Itself.

        Raises
        ------
        InputError
            Where the labels do not match the pairs or are of one kind only.
        """
        labels = np.asarray(y).astype(bool)
        codes = group_codes(pairs.prompts if groups is None else groups)
        if not len(pairs) == len(labels) == len(codes):
            raise InputError(f"{len(pairs)} pairs, {len(labels)} labels and {len(codes)} groups do not match")
        if labels.all() or not labels.any():
            kind = "hallucinated" if labels.any() else "truthful"
            raise InputError(f"all {len(labels)} training answers are {kind}: both kinds are needed")
        self.classes_ = np.array([False, True])
        self._fit(pairs, labels, codes)
        return self

    def predict_proba(self, pairs: RecordedPairs) -> NDArray[np.float64]:
        """Probabilities of truthful and hallucinated, shape (n, 2)."""
        check_is_fitted(self, "classes_")
        probability = np.asarray(self._probability(pairs), dtype=np.float64)
        return np.column_stack([1 - probability, probability])

    def predict(self, pairs: RecordedPairs) -> NDArray[np.bool_]:
        """Whether each answer is hallucinated, at a probability of one half."""
        return np.asarray(self.predict_proba(pairs)[:, 1] >= 0.5)

    def _fit(self, pairs: RecordedPairs, labels: NDArray[np.bool_], codes: NDArray[np.intp]) -> None:
        raise NotImplementedError

    def _probability(self, pairs: RecordedPairs) -> Floats:
        raise NotImplementedError
