"""What one pass can record beside pooled states, for the baselines that ask for it in their ``needs``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from halluscope.evaluation.activation_tensor import ACTIVATIONS, ActivationTensor
from halluscope.evaluation.layer_numbers import LAYER_NUMBERS
from halluscope.evaluation.recorded import OPENING
from halluscope.lm.recording import LayerState
from halluscope.lm.stored import StateSource

Floats = NDArray[Any]


class Extra(Protocol):
    """Is shown the layers of one batch of pairs after another, bottom to top, and keeps something of each."""

    #: Shape (pairs, ...): complete when all pairs have been shown.
    values: Floats

    def __call__(self, indices: list[int], layer: LayerState) -> None:
        """See one layer of the pairs with these row numbers."""
        ...


class PerLayer:
    """Keeps what a function reads of each layer.

    Parameters
    ----------
    read : callable
        From a layer's state to a tensor of shape (pairs of the batch, ...).
    shape : tuple of int
        (pairs, layers, ...).
    dtype : numpy type, default float64
        Of what is kept.

    Attributes
    ----------
    values : ndarray of that shape
    """

    def __init__(
        self, read: Callable[[LayerState], Tensor], shape: tuple[int, ...], dtype: DTypeLike = np.float64
    ) -> None:
        self.read = read
        self.values: Floats = np.empty(shape, dtype)

    def __call__(self, indices: list[int], layer: LayerState) -> None:
        """See one layer of the pairs with these row numbers."""
        self.values[indices, layer.layer] = self.read(layer).cpu().numpy()


def opening(layer: LayerState) -> Tensor:
    """States at the token before each answer: what the question alone has led to, shape (pairs, d)."""
    return layer.before[layer.firsts]


def _number(read: Callable[[LayerState], Tensor], n_pairs: int, source: StateSource) -> Extra:
    return PerLayer(read, (n_pairs, source.n_layers))


def _opening(n_pairs: int, source: StateSource) -> Extra:
    return PerLayer(opening, (n_pairs, source.n_layers, source.hidden_size), np.float32)


#: From the name under which it is recorded to what records it, given the number of pairs and what is visited.
EXTRAS: dict[str, Callable[[int, StateSource], Extra]] = {
    **{name: partial(_number, read) for name, read in LAYER_NUMBERS.items()},
    OPENING: _opening,
    ACTIVATIONS: ActivationTensor,
}
