"""Activity measures: one number for each layer and answer token.

A measure is any object with `channels`, the names it fills, and a call that takes a `LayerState` and gives a
tensor (channels, tokens), or what gives one when all layers have been seen, or None at a layer that it leaves
out. To add one, write one more class like these and pass it to `halluscope.surfaces.record_surfaces`; nothing
else needs to know it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from halluscope.lm.recording import LayerState

_TINY = 1e-12

Activity = Tensor | Callable[[], Tensor]
"""Activity (channels, tokens), or what gives it when it is called behind the last layer."""


class Measure(Protocol):
    """What the recorder asks of an activity measure."""

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels it fills."""
        ...

    def __call__(self, layer: LayerState) -> Activity | None:
        """Activity (channels, tokens) of one layer, or None where it is not taken.

        Layers left out are interpolated linearly between their measured neighbours; below the first and above
        the last measured layer its value is repeated, so that no false cliff arises.
        """
        ...


@dataclass(frozen=True)
class Norm:
    """Log length of the residual state: ``ln |h_l,t|``.

    The logarithm because norms grow by orders of magnitude over the layers.
    """

    channels: ClassVar[tuple[str, ...]] = ("norm",)

    def __call__(self, layer: LayerState) -> Tensor:
        """Activity (1, tokens)."""
        return layer.norm.clamp_min(_TINY).log()[None]


@dataclass(frozen=True)
class Step:
    """Relative size of a block's update: ``ln(|h_l - h_(l-1)| / |h_(l-1)|)``.

    The step length of Internal Flow Signatures (arXiv 2602.01897), relative to the state it starts from and
    logarithmic, since a few first blocks move the state many times its length.
    """

    channels: ClassVar[tuple[str, ...]] = ("step",)

    def __call__(self, layer: LayerState) -> Tensor | None:
        """Activity (1, tokens); None for the embedding output, which no block has updated."""
        if layer.previous is None or layer.previous_norm is None:
            return None
        update = (layer.state - layer.previous).norm(dim=-1)
        return (update / layer.previous_norm.clamp_min(_TINY)).clamp_min(_TINY).log()[None]


@dataclass(frozen=True)
class Turn:
    """Angle between successive states, in radians: ``arccos(h_l . h_(l-1) / (|h_l| |h_(l-1)|))``.

    The angle of Chain-of-Embedding (arXiv 2410.13640), for each token instead of pooled.
    """

    channels: ClassVar[tuple[str, ...]] = ("turn",)

    def __call__(self, layer: LayerState) -> Tensor | None:
        """Activity (1, tokens); None for the embedding output."""
        if layer.previous is None or layer.previous_norm is None:
            return None
        lengths = layer.norm * layer.previous_norm
        cosine = torch.linalg.vecdot(layer.state, layer.previous) / lengths.clamp_min(_TINY)
        return torch.arccos(cosine.clamp(-1.0, 1.0))[None]


@dataclass(frozen=True)
class Lens:
    """Log-probability of the emitted token, in nats, read at each layer.

    The state one position earlier, where the token is predicted, is sent through the final norm and the
    unembedding ("logit lens", nostalgebraist 2020); in the last row this is the model's own log-probability.

    Parameters
    ----------
    every : int or None
        Take every so many layers, counted down from the last; None takes the last alone. An unembedding costs
        as much as several blocks.
    """

    every: int | None = 1
    channels: ClassVar[tuple[str, ...]] = ("lens",)

    def __call__(self, layer: LayerState) -> Activity | None:
        """Activity (1, tokens), later: the layers share one unembedding."""
        return _predicted(layer, 0) if layer.on_grid(self.every) else None


@dataclass(frozen=True)
class Entropy:
    """Entropy of the output distribution, in nats, read at each layer as for `Lens`.

    ``-sum_v p(v) ln p(v)``; the last row is the entropy of the model's own prediction (TriLens, arXiv
    2606.01033, reads it by layer).

    Parameters
    ----------
    every : int or None
        Take every so many layers, as `Lens` does; free where it takes them too.
    """

    every: int | None = 1
    channels: ClassVar[tuple[str, ...]] = ("entropy",)

    def __call__(self, layer: LayerState) -> Activity | None:
        """Activity (1, tokens), later: the layers share one unembedding."""
        return _predicted(layer, 1) if layer.on_grid(self.every) else None


def _predicted(layer: LayerState, which: int) -> Callable[[], Tensor]:
    later = layer.predict_later()
    return lambda: later()[which][None]


@dataclass(frozen=True, eq=False)
class Reading:
    """The activity score: the residual state projected on a learned direction of its layer.

    ``(h_l,t . v_l - c_l) / s_l`` with the direction v_l, the centre c_l and the scale s_l learned from
    labelled pairs, so that it lies around -2..2 and positive means true. The layer x token scan of
    Representation Engineering (arXiv 2310.01405) with each layer centred and scaled.

    Parameters
    ----------
    channels : tuple of str
        A name for each reading.
    directions : Tensor of shape (readings, layers, d)
        Float32.
    centres, scales : Tensor of shape (readings, layers)
        Mean and standard deviation of the projections of single tokens of training pairs.
    """

    channels: tuple[str, ...]
    directions: Tensor
    centres: Tensor
    scales: Tensor

    def __call__(self, layer: LayerState) -> Tensor:
        """Activity (readings, tokens)."""
        row, device = layer.layer, layer.state.device
        directions, centres = (values[:, row].to(device) for values in self._scaled)
        return torch.addmm(centres[:, None], directions, layer.state.T, beta=-1)

    @cached_property
    def _scaled(self) -> tuple[Tensor, Tensor]:
        """Directions and centres in units of the scales."""
        return self.directions / self.scales[..., None], self.centres / self.scales


LENS_EVERY: int | None = None
"""Predictions are read at the last layer alone: those of other layers cost more than blocks, and harmed."""
DEFAULT_MEASURES: tuple[Measure, ...] = (Norm(), Step(), Turn(), Lens(LENS_EVERY), Entropy(LENS_EVERY))
"""The channels that need no learned direction."""
