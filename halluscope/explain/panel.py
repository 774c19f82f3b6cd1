"""What a figure of landscapes shows, worked out once for every way of drawing it.

Nothing here knows matplotlib or plotly: a `Scene` is the checked input (one `Panel` per answer) with the
activity scale that all panels share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from halluscope.errors import InputError
from halluscope.surfaces.surface import Surface

MOST_PANELS = 3

# A value this many interquartile ranges outside the quartiles (7 standard deviations for normal data) is no
# peak of the landscape but of another scale, such as the embeddings' row: it would flatten the rest.
FENCE = 5.0


@dataclass(frozen=True)
class Verdict:
    """What the detector says about an answer.

    Parameters
    ----------
    probability : float
        Calibrated probability that the answer is hallucinated.
    threshold : float
        The probability from which on an answer is called hallucinated.
    hallucinated : bool
        The verdict.
    """

    probability: float
    threshold: float
    hallucinated: bool

    def __str__(self) -> str:
        word = "hallucinated" if self.hallucinated else "not hallucinated"
        return f"{word}: probability {self.probability:.2f} (threshold {self.threshold:.2f})"

    @property
    def color(self) -> str:
        """Red or green, dark enough to be read as text on white."""
        return "#b3151d" if self.hallucinated else "#15803d"


@dataclass(frozen=True, eq=False)
class Panel:
    """One answer's landscape: `values` (layers x tokens) and the texts around it."""

    title: str
    answer: str
    tokens: tuple[str, ...]
    values: npt.NDArray[np.float32]
    verdict: Verdict | None

    @property
    def grid(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float32]]:
        """Token positions, layer positions and values, each axis with at least two points; see `widen`."""
        layers, tokens = (np.arange(float(n)) if n > 1 else np.array([-0.4, 0.4]) for n in self.values.shape)
        return tokens, layers, widen(self.values)


def widen(cells: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Repeat a single row or column.

    A surface needs two of each. One token is drawn as a ribbon of constant width: the same values on both
    edges, so that nothing is made up.
    """
    for axis, count in enumerate(cells.shape):
        if count == 1:
            cells = cells.repeat(2, axis=axis)
    return cells


@dataclass(frozen=True)
class Scene:
    """All panels of a figure and what they share.

    Parameters
    ----------
    prompt : str
        The text that all answers answer.
    channel : str
        The channel drawn.
    panels : tuple of Panel
        One for each answer.
    low, high : float
        Ends of the shared activity scale.
    clipped : {"neither", "min", "max", "both"}
        At which ends values lie outside the scale, in the words of matplotlib's ``extend``.
    """

    prompt: str
    channel: str
    panels: tuple[Panel, ...]
    low: float
    high: float
    clipped: Literal["neither", "min", "max", "both"]


def arrange_scene(
    surfaces: Sequence[Surface],
    titles: Sequence[str],
    verdicts: Sequence[Verdict] | None,
    prompt: str,
    channel: str | None,
) -> Scene:
    """Check what is to be drawn and put it on one scale.

    Raises
    ------
    InputError
        If there are no or too many surfaces, titles or verdicts of another number, a surface without tokens
        or with values that are not finite, or no such channel.
    """
    if not 1 <= len(surfaces) <= MOST_PANELS:
        raise InputError(f"a figure shows 1 to {MOST_PANELS} surfaces side by side, not {len(surfaces)}")
    for name, items in (("titles", titles), ("verdicts", verdicts)):
        if items and len(items) != len(surfaces):
            raise InputError(
                f"{len(items)} {name} for {len(surfaces)} surfaces: there must be one of each per surface"
            )
    channel = channel or _default_channel(surfaces[0])
    unjudged: list[Verdict | None] = [None] * len(surfaces)
    panels = tuple(
        Panel(title, surface.answer, surface.tokens, _sheet(surface, channel), verdict)
        for surface, title, verdict in zip(
            surfaces, titles or [""] * len(surfaces), verdicts or unjudged, strict=True
        )
    )
    return Scene(prompt, channel, panels, *_shared_scale(panels))


def _default_channel(surface: Surface) -> str:
    return "reading" if "reading" in surface.channels else next(iter(surface.channels), "")


def _sheet(surface: Surface, channel: str) -> npt.NDArray[np.float32]:
    if channel not in surface.channels:
        raise InputError(f"no channel {channel!r} to draw; there are: {', '.join(surface.channels)}")
    values = surface[channel]
    if not values.size:
        raise InputError(
            f"a surface of {values.shape[0]} layers and {values.shape[1]} tokens cannot be drawn"
        )
    if not np.isfinite(values).all():
        raise InputError(f"channel {channel!r} has values that are not finite and cannot be drawn")
    return values


def _shared_scale(panels: Sequence[Panel]) -> tuple[float, float, Literal["neither", "min", "max", "both"]]:
    """The scale of all panels: from the lowest to the highest value, but not beyond the fences."""
    values = np.concatenate([panel.values.ravel() for panel in panels]).astype(float)
    lowest, highest = float(values.min()), float(values.max())
    if lowest == highest:  # a flat landscape lies in the middle of a scale of some extent
        margin = abs(lowest) or 1.0
        return lowest - margin, highest + margin, "neither"
    first, third = np.percentile(values, [25, 75])
    reach = FENCE * (third - first) or np.inf  # no spread among the middle half: nothing to judge outliers by
    low, high = max(lowest, float(first - reach)), min(highest, float(third + reach))
    ends: dict[tuple[bool, bool], Literal["neither", "min", "max", "both"]] = {
        (False, False): "neither",
        (True, False): "min",
        (False, True): "max",
        (True, True): "both",
    }
    return low, high, ends[lowest < low, high < highest]
