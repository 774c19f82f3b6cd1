"""The states of one answer as an image: tokens by layers, each cut into a fixed number of bins."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d

from halluscope.lm.recording import LayerState
from halluscope.lm.stored import StateSource

Floats = NDArray[Any]

ACTIVATIONS = "activations"
"""Name under which they are recorded."""
TOKEN_BINS, LAYER_BINS = 4, 8
_LARGEST = float(np.finfo(np.float16).max)  # massive activations of some models lie beyond it


class ActivationTensor:
    """Keeps the mean state of each bin: an entry of `halluscope.evaluation.extras.EXTRAS`.

    Bin i of B holds what lies between i/B and (i+1)/B of the way, whole tokens and layers (adaptive average
    pooling). Where there are fewer tokens or layers than bins, neighbouring bins share them.

    Parameters
    ----------
    n_pairs : int
        Pairs that will be shown.
    source : StateSource
        What is visited.

    Attributes
    ----------
    values : ndarray of float16, shape (pairs, TOKEN_BINS, LAYER_BINS, d)
        Clipped to what float16 holds.
    """

    def __init__(self, n_pairs: int, source: StateSource) -> None:
        self.values: Floats = np.empty((n_pairs, TOKEN_BINS, LAYER_BINS, source.hidden_size), np.float16)
        self._bins = [_bin(number, source.n_layers) for number in range(LAYER_BINS)]
        self._sums: dict[int, Tensor] = {}

    def __call__(self, indices: list[int], layer: LayerState) -> None:
        """See one layer of the pairs with these row numbers."""
        tokens = torch.stack(
            [
                adaptive_avg_pool1d(states.T[None], TOKEN_BINS)[0].T
                for states in layer.state.split(layer.lengths)
            ]
        ).cpu()
        for number, layers in enumerate(self._bins):
            if layer.layer not in layers:
                continue
            if layer.layer == layers[0]:
                self._sums[number] = torch.zeros_like(tokens)
            self._sums[number] += tokens
            if layer.layer == layers[-1]:
                mean = self._sums.pop(number) / len(layers)
                self.values[indices, :, number] = mean.clamp(-_LARGEST, _LARGEST).numpy()


def _bin(number: int, n_layers: int) -> range:
    return range(number * n_layers // LAYER_BINS, -(-(number + 1) * n_layers // LAYER_BINS))
