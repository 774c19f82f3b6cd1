"""Baselines that read how an answer's states move from layer to layer."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from halluscope.evaluation.choosing import Candidate
from halluscope.evaluation.probes import POOLINGS, LinearProbe
from halluscope.evaluation.recorded import RecordedPairs

Floats = NDArray[Any]


class TransitionProbe(LinearProbe):
    """DRIFT: logistic regression on what one block adds to the residual stream.

    The columns are h_{l+1} - h_l at the answer's last token, or their mean over its tokens. PARALLAX
    (2605.17028) lists such a supervised probe of inter-layer transitions as DRIFT, and finds it to be one of
    the few methods that hold up under its controls; it is not the DRIFT of 2601.14210, which reads the
    question. We know of it only what it reads: the classifier is the one of `BestLayerProbe`, so that the two
    differ in the difference alone. Transition, pooling and penalty are chosen inside the training part, among
    all layers.

    Parameters
    ----------
    inner_folds : int, default 3
        Grouped folds for the choice.
    random_state : int, default 0
        Seed of the folds.

    Attributes
    ----------
    choice_ : tuple of (str, int)
        The pooling that was chosen, and the layer from which the step is taken.
    strength_ : float
        The inverse penalty that was chosen.
    """

    def _candidates(self, pairs: RecordedPairs) -> Iterable[Candidate]:
        return product(POOLINGS, range(pairs.n_layers - 1))

    def _columns(self, pairs: RecordedPairs, candidate: Candidate) -> Floats:
        pooling, layer = candidate
        return pairs.layer(pooling, layer + 1) - pairs.layer(pooling, layer)


class ChainOfEmbedding(LinearProbe):
    """Chain-of-Embedding: logistic regression on the length and bend of the path through the layers.

    The columns are the four numbers of `chain_of_embedding`, of states averaged over the answer's tokens
    (Wang et al., 2410.13640). The paper uses CoE-R or CoE-C alone, without labels and with a sign fixed
    beforehand; here signs and weights are learned, as they are for every baseline.

    Parameters
    ----------
    inner_folds : int, default 3
        Grouped folds for the choice of the penalty.
    random_state : int, default 0
        Seed of the folds.

    Attributes
    ----------
    strength_ : float
        The inverse penalty that was chosen.
    """

    def _columns(self, pairs: RecordedPairs, candidate: Candidate) -> Floats:
        return chain_of_embedding(pairs.all_layers("mean"))


class SpectralProbe(LinearProbe):
    """HSAD: logistic regression on the strongest frequency of each dimension along the depth.

    Each dimension of the residual stream is a signal over the layers; its column is the largest magnitude of
    its Fourier coefficients, the constant one left out (2509.13154). The paper samples four nodes of each
    layer; a recording has the residual stream after each block only, so the signal is a quarter as long. The
    classifier is the one of `BestLayerProbe`; pooling and penalty are chosen inside the training part.

    Parameters
    ----------
    inner_folds : int, default 3
        Grouped folds for the choice.
    random_state : int, default 0
        Seed of the folds.

    Attributes
    ----------
    choice_ : tuple of str
        The pooling that was chosen.
    strength_ : float
        The inverse penalty that was chosen.
    """

    def _candidates(self, pairs: RecordedPairs) -> Iterable[Candidate]:
        return [(pooling,) for pooling in POOLINGS]

    def _columns(self, pairs: RecordedPairs, candidate: Candidate) -> Floats:
        return strongest_frequency(pairs.all_layers(*candidate))


class ScatterProbe(LinearProbe):
    """LLM-Check's hidden score: logistic regression on the scatter of an answer's states at one layer.

    The number is (1/m) log det(Z J Z^T + alpha I): see `halluscope.evaluation.layer_numbers.scatter`
    (Sriramanan et al., NeurIPS 2024). The paper reports the layer that does best on the test data; here the
    layer and the sign are learned inside the training part. Despite the 1/m the number depends on the length
    of the answer.

    Parameters
    ----------
    inner_folds : int, default 3
        Grouped folds for the choice.
    random_state : int, default 0
        Seed of the folds.

    Attributes
    ----------
    choice_ : tuple of int
        The layer that was chosen.
    """

    needs: ClassVar[tuple[str, ...]] = ("scatter",)

    def _candidates(self, pairs: RecordedPairs) -> Iterable[Candidate]:
        return [(layer,) for layer in range(pairs.n_layers)]

    def _columns(self, pairs: RecordedPairs, candidate: Candidate) -> Floats:
        return pairs.recorded("scatter")[:, list(candidate)]


class LensEntropies(LinearProbe):
    """After TriLens: logistic regression on the entropy of what each layer would predict.

    The columns are the logit lens's entropies, averaged over the answer's tokens, of all layers. TriLens
    (2606.01033) reads them at the outputs of attention, of the feed-forward network and of the residual
    stream, 3 L columns; a recording has the residual stream only, so this is a third of it.

    Parameters
    ----------
    inner_folds : int, default 3
        Grouped folds for the choice of the penalty.
    random_state : int, default 0
        Seed of the folds.

    Attributes
    ----------
    strength_ : float
        The inverse penalty that was chosen.
    """

    needs: ClassVar[tuple[str, ...]] = ("lens entropy",)

    def _columns(self, pairs: RecordedPairs, candidate: Candidate) -> Floats:
        return pairs.recorded("lens entropy")


def chain_of_embedding(states: Floats) -> Floats:
    """Mag, Ang, CoE-R and CoE-C of paths through the layers.

    With M_l = |h_{l+1} - h_l| / |h_L - h_0| and A_l = angle(h_l, h_{l+1}) / angle(h_0, h_L): Mag and Ang are
    their means over the layers, CoE-R = Mag - Ang, and CoE-C = |mean of M_l exp(i A_l)|.

    Parameters
    ----------
    states : ndarray, shape (n, layers, d)
        From the embedding up.

    Returns
    -------
    ndarray, shape (n, 4)
    """
    states = states.astype(np.float64)  # the cosine of a small angle is 1 up to float32's rounding
    first, last = states[:, :1], states[:, -1:]
    lengths = _distance(states[:, :-1], states[:, 1:]) / _distance(first, last)
    angles = _angle(states[:, :-1], states[:, 1:]) / _angle(first, last)
    magnitude, angle = lengths.mean(axis=1), angles.mean(axis=1)
    together = np.abs(np.mean(lengths * np.exp(1j * angles), axis=1))
    return np.column_stack([magnitude, angle, magnitude - angle, together])


def strongest_frequency(states: Floats) -> Floats:
    """Largest magnitude among each dimension's Fourier coefficients along the depth, but the constant one.

    Parameters
    ----------
    states : ndarray, shape (n, layers, d)
        From the embedding up.

    Returns
    -------
    ndarray, shape (n, d)
    """
    return np.asarray(np.abs(np.fft.rfft(states, axis=1)[:, 1:]).max(axis=1))


def _distance(one: Floats, other: Floats) -> Floats:
    return np.asarray(np.linalg.norm(one - other, axis=-1))


def _angle(one: Floats, other: Floats) -> Floats:
    norms = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return np.asarray(np.arccos(np.clip((one * other).sum(axis=-1) / norms, -1, 1)))
