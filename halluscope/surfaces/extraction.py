"""Recording surfaces: measures taken in the hooks, put together pair by pair."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from halluscope.errors import InputError
from halluscope.lm.recording import LayerState
from halluscope.lm.stored import StateSource
from halluscope.lm.tokens import TokenizedPair
from halluscope.surfaces.measures import DEFAULT_MEASURES, Measure
from halluscope.surfaces.surface import Surface


def record_surfaces(
    source: StateSource,
    pairs: Sequence[TokenizedPair],
    measures: Sequence[Measure] | None = None,
    *,
    progress: Callable[[int], None] | None = None,
) -> list[Surface]:
    """Run pairs through the model and return the surface of each answer.

    Parameters
    ----------
    source : LanguageModel or StoredStates
        The model to look into, or what was stored of it.
    pairs : sequence of TokenizedPair
        What `LanguageModel.tokenize` made.
    measures : sequence of Measure, optional
        The channels, in this order; `DEFAULT_MEASURES` if not given.
    progress : callable, optional
        Called with the number of pairs done after each batch.

    Returns
    -------
    list of Surface
        In the order of `pairs`; all channels of all measures.

    Raises
    ------
    InputError
        If a measure gives values of another shape than channels x tokens, or none at all.
    """
    measures = DEFAULT_MEASURES if measures is None else measures
    if not measures:
        raise InputError("no measures given: a surface needs at least one")
    channels = tuple(channel for measure in measures for channel in measure.channels)
    sheets: list[npt.NDArray[np.float32] | None] = [None] * len(pairs)

    def visitor(indices: list[int]) -> Callable[[LayerState], None]:
        return _BatchOfSheets(indices, measures, sheets)

    source.visit(pairs, visitor, progress=progress)
    return [
        Surface(values, channels, pair.tokens, pair.offsets, pair.answer)
        for pair, values in zip(pairs, sheets, strict=True)
        if values is not None
    ]


class _BatchOfSheets:
    """Takes every measure at every layer of one batch; after the last layer it hands out the sheets."""

    def __init__(
        self, indices: list[int], measures: Sequence[Measure], sheets: list[npt.NDArray[np.float32] | None]
    ) -> None:
        self._indices = indices
        self._taken = [_Taken(measure) for measure in measures]
        self._sheets = sheets

    def __call__(self, layer: LayerState) -> None:
        for taken in self._taken:
            taken.take(layer)
        if layer.layer == layer.n_layers - 1:
            self._hand_out(layer)

    def _hand_out(self, layer: LayerState) -> None:
        sheets = np.concatenate([taken.all_layers() for taken in self._taken])
        ends = np.cumsum(layer.lengths)
        for index, part in zip(self._indices, np.split(sheets, ends[:-1], axis=2), strict=True):
            self._sheets[index] = part


class _Taken:
    """What one measure gave at the layers of a batch.

    Values go into one array at once: small tensors that outlive their layer would lie between the large ones
    of the forward pass, and the memory that these leave could not be used again.
    """

    def __init__(self, measure: Measure) -> None:
        self._measure = measure
        self._values: Tensor | None = None
        self._layers: list[int] = []
        self._later: list[tuple[LayerState, Callable[[], Tensor]]] = []

    def take(self, layer: LayerState) -> None:
        """Take the measure at a layer, or see to it that it is taken later."""
        given = self._measure(layer)
        if isinstance(given, Tensor):
            self._put(layer, given)
        elif given is not None:
            self._later.append((layer, given))

    def _put(self, layer: LayerState, values: Tensor) -> None:
        wanted = (len(self._measure.channels), sum(layer.lengths))
        if values.shape != wanted:
            raise InputError(
                f"measure {self._measure!r} gave values of shape {tuple(values.shape)} at layer "
                f"{layer.layer}: it must give {wanted}, channels x tokens"
            )
        if self._values is None:
            self._values = torch.empty((wanted[0], layer.n_layers, wanted[1]), device=values.device)
        self._values[:, layer.layer] = values
        self._layers.append(layer.layer)

    def all_layers(self) -> npt.NDArray[np.float32]:
        """Values (channels, n_layers, tokens); layers left out are interpolated along depth."""
        for layer, given in self._later:
            self._put(layer, given())
        if self._values is None:
            raise InputError(f"measure {self._measure!r} was taken at no layer")
        values: npt.NDArray[np.float32] = self._values.cpu().numpy()
        taken, n_layers = np.sort(self._layers), values.shape[1]
        if len(taken) == n_layers:
            return values
        wanted = np.clip(np.arange(n_layers), taken[0], taken[-1])
        upper = np.searchsorted(taken, wanted)
        lower = np.maximum(upper - 1, 0)
        span = np.maximum(taken[upper] - taken[lower], 1)
        weight = ((wanted - taken[lower]) / span).astype(np.float32)[None, :, None]
        below, above = values[:, taken[lower]], values[:, taken[upper]]
        return np.asarray(below * (1 - weight) + above * weight, dtype=np.float32)
