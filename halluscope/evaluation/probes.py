"""Baselines that read the hidden states directly: linear probes and SAPLMA's small network.

Layer, pooling, penalty and number of epochs are chosen by grouped folds inside the training part. The states
are standardised with the statistics of that whole part, which involve no label and no test row. The logits
that the inner folds held out calibrate the probabilities.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from halluscope.evaluation.folds import inner_folds
from halluscope.evaluation.linear import choose_strength, logistic, platt, span
from halluscope.evaluation.metrics import auroc
from halluscope.evaluation.recorded import PairClassifier, RecordedPairs

Floats = NDArray[Any]
Labels = NDArray[np.bool_]
Codes = NDArray[np.intp]

#: How a layer's states over the answer's tokens become one vector.
POOLINGS = ("last", "mean")


class BestLayerProbe(PairClassifier):
    """Logistic regression on the one layer and pooling that do best inside the training part.

    Parameters
    ----------
    poolings : tuple of str, default ("last", "mean")
        To choose from; "opening" alone makes the probe that sees the question only.
    inner_folds : int, default 3
        Grouped folds for the choice.
    random_state : int, default 0
        Seed of the folds.

    Attributes
    ----------
    pooling_, layer_, strength_ : str, int, float
        What was chosen.
    """

    def __init__(
        self, poolings: tuple[str, ...] = POOLINGS, inner_folds: int = 3, random_state: int = 0
    ) -> None:
        self.poolings = poolings
        self.inner_folds = inner_folds
        self.random_state = random_state

    def _fit(self, pairs: RecordedPairs, labels: Labels, codes: Codes) -> None:
        folds = inner_folds(labels, codes, self.inner_folds, self.random_state)
        best = -1.0
        for pooling in self.poolings:
            for layer in range(pairs.n_layers):
                states = pairs.layer(pooling, layer)
                rows = StandardScaler().fit_transform(states) / _root(states)
                choice = choose_strength(rows, labels, folds)
                if choice.auroc > best:
                    best, held_out = choice.auroc, choice.logits
                    self.pooling_, self.layer_, self.strength_ = pooling, layer, choice.strength
        self._platt = platt(held_out, labels)
        self._scaler = StandardScaler().fit(pairs.layer(self.pooling_, self.layer_))
        self._model = logistic(self.strength_).fit(self._rows(pairs), labels)

    def _rows(self, pairs: RecordedPairs) -> Floats:
        states = pairs.layer(self.pooling_, self.layer_)
        return np.asarray(self._scaler.transform(states) / _root(states))

    def _probability(self, pairs: RecordedPairs) -> Floats:
        slope, intercept = self._platt
        return np.asarray(expit(slope * self._model.decision_function(self._rows(pairs)) + intercept))


class AllLayerProbe(PairClassifier):
    """Logistic regression on the states of all layers side by side.

    The pooling (last token, mean, or both) and the penalty are chosen inside the training part.

    Parameters
    ----------
    inner_folds : int, default 3
        Grouped folds for the choice.
    random_state : int, default 0
        Seed of the folds.

    Attributes
    ----------
    poolings_, strength_ : tuple of str, float
        What was chosen.
    coef_ : dict of str to ndarray, shape (layers * d,)
        Weights of the standardised states of each chosen pooling.
    """

    def __init__(self, inner_folds: int = 3, random_state: int = 0) -> None:
        self.inner_folds = inner_folds
        self.random_state = random_state

    def _fit(self, pairs: RecordedPairs, labels: Labels, codes: Codes) -> None:
        folds = inner_folds(labels, codes, self.inner_folds, self.random_state)
        self._scalers = {name: StandardScaler().fit(_flat(pairs, name)) for name in POOLINGS}
        rows = {name: self._rows(pairs, name) for name in POOLINGS}
        grams: dict[tuple[str, ...], Floats] = {(name,): rows[name] @ rows[name].T for name in POOLINGS}
        grams[POOLINGS] = np.mean(list(grams.values()), axis=0)
        best = -1.0
        for poolings, gram in grams.items():
            basis = span(gram)
            choice = choose_strength(basis.coordinates, labels, folds)
            if choice.auroc > best:
                best, chosen, held_out = choice.auroc, basis, choice.logits
                self.poolings_, self.strength_ = poolings, choice.strength
        self._platt = platt(held_out, labels)
        model = logistic(self.strength_).fit(chosen.coordinates, labels)
        self._intercept = float(model.intercept_[0])
        dual = chosen.dual @ model.coef_[0] / len(self.poolings_)
        self.coef_ = {name: rows[name].T @ dual.astype(np.float32) for name in self.poolings_}

    def _rows(self, pairs: RecordedPairs, pooling: str) -> Floats:
        flat = _flat(pairs, pooling)
        return np.asarray(self._scalers[pooling].transform(flat) / np.float32(np.sqrt(flat.shape[1])))

    def _probability(self, pairs: RecordedPairs) -> Floats:
        slope, intercept = self._platt
        logits = sum(self._rows(pairs, name) @ self.coef_[name] for name in self.poolings_) + self._intercept
        return np.asarray(expit(slope * logits + intercept))


class Saplma(PairClassifier):
    """SAPLMA: a network of 256, 128 and 64 units on the last token's state of one layer.

    As published by Azaria and Mitchell (2023): ReLU, Adam at a rate of 0.001, candidate layers in the upper
    half of the model. The paper trains for 5 epochs and takes the layer that works best; here both the
    layer and the number of epochs are chosen by grouped folds inside the training part, after which the
    network is trained on all of it. The inputs are standardised, which the paper does not do and which
    helps the network with massive activations.

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
        self.depths = depths
        self.epochs = epochs
        self.inner_folds = inner_folds
        self.random_state = random_state

    def _fit(self, pairs: RecordedPairs, labels: Labels, codes: Codes) -> None:
        folds = inner_folds(labels, codes, self.inner_folds, self.random_state)
        blocks = pairs.n_layers - 1
        layers = sorted({round(depth * blocks) for depth in self.depths})
        scores = np.zeros((len(layers), self.epochs))
        logits = np.zeros((*scores.shape, len(labels)))
        for number, layer in enumerate(layers):
            rows = StandardScaler().fit_transform(pairs.layer("last", layer))
            for train, test in folds:
                network = self._network(len(train))
                for epoch in range(self.epochs):
                    network.partial_fit(rows[train], labels[train], classes=self.classes_)
                    logits[number, epoch, test] = _logits(network, rows[test])
                    scores[number, epoch] += auroc(labels[test], logits[number, epoch, test])
        best, last_epoch = np.unravel_index(np.argmax(scores), scores.shape)
        self.layer_, self.epochs_ = layers[best], int(last_epoch) + 1
        self._platt = platt(logits[best, last_epoch], labels)
        self._scaler = StandardScaler().fit(pairs.layer("last", self.layer_))
        self._model = self._network(len(pairs))
        for _ in range(self.epochs_):
            self._model.partial_fit(self._rows(pairs), labels, classes=self.classes_)

    def _network(self, n: int) -> MLPClassifier:
        # A generator object, since an integer seed would shuffle every epoch alike.
        generator = np.random.RandomState(self.random_state)
        batch = min(32, n)
        return MLPClassifier(
            (256, 128, 64), learning_rate_init=1e-3, batch_size=batch, random_state=generator
        )

    def _rows(self, pairs: RecordedPairs) -> Floats:
        return np.asarray(self._scaler.transform(pairs.layer("last", self.layer_)))

    def _probability(self, pairs: RecordedPairs) -> Floats:
        slope, intercept = self._platt
        return np.asarray(expit(slope * _logits(self._model, self._rows(pairs)) + intercept))


def _logits(network: MLPClassifier, rows: Floats) -> Floats:
    # A saturated network answers with exactly 0 or 1, whose logit is infinite.
    probability = np.asarray(network.predict_proba(rows)[:, 1], dtype=np.float64)
    return np.asarray(logit(np.clip(probability, 1e-9, 1 - 1e-9)))


def _flat(pairs: RecordedPairs, pooling: str) -> Floats:
    return pairs.all_layers(pooling).reshape(len(pairs), -1)


def _root(states: Floats) -> np.float32:
    return np.float32(np.sqrt(states.shape[1]))
