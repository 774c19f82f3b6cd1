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
from halluscope.surfaces.measures import DEFAULT_MEASURES, Activity, Measure
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
        self._measures = measures
        self._sheets = sheets
        self._rows: list[list[tuple[int, Activity]]] = [[] for _ in measures]

    def __call__(self, layer: LayerState) -> None:
        for measure, rows in zip(self._measures, self._rows, strict=True):
            values = measure(layer)
            if values is not None:
                rows.append((layer.layer, values))
        if layer.layer == layer.n_layers - 1:
            self._hand_out(layer)

    def _hand_out(self, layer: LayerState) -> None:
        taken = [
            _taken(measure, rows, sum(layer.lengths))
            for measure, rows in zip(self._measures, self._rows, strict=True)
        ]
        sheets = np.concatenate([_all_layers(rows, layer.n_layers) for rows in taken])
        ends = np.cumsum(layer.lengths)
        for index, part in zip(self._indices, np.split(sheets, ends[:-1], axis=2), strict=True):
            self._sheets[index] = part


def _taken(measure: Measure, rows: Sequence[tuple[int, Activity]], tokens: int) -> list[tuple[int, Tensor]]:
    """What a measure gave, and the layers that it gave it for."""
    if not rows:
        raise InputError(f"measure {measure!r} was taken at no layer")
    taken = [(layer, given if isinstance(given, Tensor) else given()) for layer, given in rows]
    wanted = (len(measure.channels), tokens)
    for layer, values in taken:
        if values.shape != wanted:
            raise InputError(
                f"measure {measure!r} gave values of shape {tuple(values.shape)} at layer {layer}: it must "
                f"give {wanted}, channels x tokens"
            )
    return taken


def _all_layers(rows: list[tuple[int, Tensor]], n_layers: int) -> npt.NDArray[np.float32]:
    """Measured rows to (channels, n_layers, tokens); layers left out are interpolated along depth."""
    taken = np.array([layer for layer, _ in rows])
    device = rows[-1][1].device
    values = torch.stack([v.to(device) for _, v in rows], dim=1).float().cpu().numpy()
    if len(taken) == n_layers:
        return values
    wanted = np.clip(np.arange(n_layers), taken[0], taken[-1])
    upper = np.searchsorted(taken, wanted)
    lower = np.maximum(upper - 1, 0)
    span = np.maximum(taken[upper] - taken[lower], 1)
    weight = ((wanted - taken[lower]) / span).astype(np.float32)[None, :, None]
    return np.asarray(values[:, lower] * (1 - weight) + values[:, upper] * weight, dtype=np.float32)
