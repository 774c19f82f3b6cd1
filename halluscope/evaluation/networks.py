"""Baselines that train a small network on hidden states."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.neural_network import MLPClassifier

from halluscope.evaluation.choosing import Candidate, ChoosingClassifier
from halluscope.evaluation.metrics import auroc
from halluscope.evaluation.recorded import RecordedPairs
from halluscope.folds import Fold

Floats = NDArray[Any]
Labels = NDArray[np.bool_]


class NetworkClassifier(ChoosingClassifier):
    """A network on the standardised columns of one candidate, of `units` in its hidden layers.

    ReLU, and Adam at a rate of 0.001, in batches of 32. The number of passes over the training part is chosen
    with the candidate, after which the network is trained on all of it.

    Parameters
    ----------
    epochs : int, default 10
        Largest number of passes over the training part.
    inner_folds : int, default 3
        Grouped folds for the choice.
    random_state : int, default 0
        Seed of the folds and of the network.

    Attributes
    ----------
    epochs_ : int
        What was chosen.
    """

    units: ClassVar[tuple[int, ...]] = (256, 128, 64)

    def __init__(self, epochs: int = 10, inner_folds: int = 3, random_state: int = 0) -> None:
        super().__init__(inner_folds, random_state)
        self.epochs = epochs

    @property
    def epochs_(self) -> int:
        """The number of passes over the training part that was chosen."""
        return int(self.setting_)

    def _try(self, rows: Floats, labels: Labels, folds: list[Fold]) -> tuple[float, Any, Floats]:
        scores = np.zeros(self.epochs)
        logits = np.zeros((self.epochs, len(labels)))
        for train, test in folds:
            for epoch, network in enumerate(islice(self._training(rows[train], labels[train]), self.epochs)):
                logits[epoch, test] = _logits(network, rows[test])
                scores[epoch] += auroc(labels[test], logits[epoch, test]) / len(folds)
        best = int(np.argmax(scores))
        return float(scores[best]), best + 1, logits[best]

    def _train(self, rows: Floats, labels: Labels) -> MLPClassifier:
        return next(islice(self._training(rows, labels), self.epochs_ - 1, None))

    def _logits(self, rows: Floats) -> Floats:
        return _logits(self._model, rows)

    def _training(self, rows: Floats, labels: Labels) -> Iterator[MLPClassifier]:
        """The same network after one pass over the rows, after two, and so on."""
        network = MLPClassifier(
            self.units,
            learning_rate_init=1e-3,
            batch_size=min(32, len(rows)),
            # A generator object, since an integer seed would shuffle every epoch alike.
            random_state=np.random.RandomState(self.random_state),
        )
        while True:
            yield network.partial_fit(rows, labels, classes=[False, True])


class Saplma(NetworkClassifier):
    """SAPLMA: a network of 256, 128 and 64 units on the last token's state of one layer.

    As published by Azaria and Mitchell (2023, 2304.13734), with candidate layers in the upper half of the
    model. The paper trains for 5 epochs and takes the layer that works best; here both the layer and the
    number of epochs are chosen by grouped folds inside the training part. The inputs are standardised, which
    the paper does not do and which helps the network with massive activations.

    Parameters
    ----------
    depths : tuple of float, default (0.5, 0.625, 0.75, 0.875, 1.0)
        Candidate layers as fractions of the depth: 16, 20, 24, 28 and 32 of the paper's 32-layer models.
    epochs : int, default 10
        Largest number of passes over the training part.
    inner_folds : int, default 3
        Grouped folds for the choice.
    random_state : int, default 0
        Seed of the folds and of the network.

    Attributes
    ----------
    layer_, epochs_ : int
        What was chosen.
    """

    def __init__(
        self,
        depths: tuple[float, ...] = (0.5, 0.625, 0.75, 0.875, 1.0),
        epochs: int = 10,
        inner_folds: int = 3,
        random_state: int = 0,
    ) -> None:
        super().__init__(epochs, inner_folds, random_state)
        self.depths = depths

    @property
    def layer_(self) -> int:
        """The layer that was chosen."""
        return int(self.choice_[0])

    def _candidates(self, pairs: RecordedPairs) -> Iterable[Candidate]:
        return [(layer,) for layer in sorted({round(depth * (pairs.n_layers - 1)) for depth in self.depths})]

    def _columns(self, pairs: RecordedPairs, candidate: Candidate) -> Floats:
        return pairs.layer("last", *candidate)


class Mind(NetworkClassifier):
    """MIND, supervised: a network on the last token over all layers and the last layer over all tokens.

    The input is the mean over the layers, the embedding included, of the last token's state, followed by the
    mean over the answer's tokens of the last layer's state (Su et al., 2403.06448). The paper trains on
    continuations of Wikipedia that it labels itself, by whether a generated entity matches; here the network
    learns from the labels of the training part, as in later comparisons (2606.06959). Width and depth are the
    paper's; the rest of the training is that of `Saplma`, so that the two differ in what they read.

    Parameters
    ----------
    epochs : int, default 10
        Largest number of passes over the training part.
    inner_folds : int, default 3
        Grouped folds for the choice.
    random_state : int, default 0
        Seed of the folds and of the network.

    Attributes
    ----------
    epochs_ : int
        What was chosen.
    """

    def _columns(self, pairs: RecordedPairs, candidate: Candidate) -> Floats:
        return np.hstack([pairs.all_layers("last").mean(axis=1), pairs.layer("mean", -1)])


def _logits(network: MLPClassifier, rows: Floats) -> Floats:
    # A saturated network answers with exactly 0 or 1, whose logit is infinite.
    probability = np.asarray(network.predict_proba(rows)[:, 1], dtype=np.float64)
    return np.asarray(logit(np.clip(probability, 1e-9, 1 - 1e-9)))
