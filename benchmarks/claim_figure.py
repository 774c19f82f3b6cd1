"""The claim that invented answers are smoother as one figure: measures by corpora, a panel a channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from benchmarks.claim_table import measure_label
from halluscope.evaluation.smoothness import ALL, CLAIMED
from halluscope.features import family_of

TITLES = {
    "norm": "norm: length of the state",
    "step": "step: size of a block's update",
    "turn": "turn: angle between layers",
    "lens": "lens: log-probability of the token",
    "entropy": "entropy: doubt in the prediction",
    "readings": "readings: learned directions",
}
MEAN = "mean"
GAP = ""
HEADINGS = ("roughness", "peaks")
COLOURS = "BrBG"  # brown, white, teal: told apart by everyone, and not the red and green of a verdict
PANELS = 3  # in a row
CELL = (0.24, 0.2)  # inches
LEAST_CELLS = 9  # a panel of fewer columns is as wide as one of so many
LEAST_LIMIT = 0.1
GAP_WIDTH = 0.5  # of a cell
DPI = 140

Floats = npt.NDArray[np.float64]


def draw_claim(results: Mapping[str, Any]) -> Figure:
    """Draw the standardised differences that ``benchmarks.claim`` found.

    Parameters
    ----------
    results : mapping
        As ``benchmarks.claim`` writes them.

    Returns
    -------
    matplotlib.figure.Figure
        One panel for each family of channels. Teal: the invented answer is smoother, as claimed; a dot: the
        95% interval is clear of zero. Corpora that are not counted stand apart on the right.
    """
    counted, families = results["counted"], list(results["families"])
    others = [name for name in results["corpora"] if name not in counted]
    columns = [MEAN, GAP, *counted, *([GAP, *others] if others else [])]
    rows = _rows()
    cells = {family: _cells(results, family, columns, rows) for family in families}
    # few questions make large differences by chance: what is not counted does not set the scale either
    scale = np.stack([values[:, : 2 + len(counted)] for values, _ in cells.values()])
    limit = max(LEAST_LIMIT, float(np.nanpercentile(np.abs(scale), 99)))
    norm = Normalize(-limit, limit)
    x, y = _edges(columns), _edges(rows)
    n_rows = -(-len(families) // PANELS)
    width = 2.1 + PANELS * (max(LEAST_CELLS, x[-1]) * CELL[0] + 0.2)
    figure = Figure(
        figsize=(width, 2.8 + n_rows * (y[-1] * CELL[1] + 0.35)),
        dpi=DPI,
        layout=ConstrainedLayoutEngine(w_pad=0.05, h_pad=0.05, wspace=0.035, hspace=0.01),
    )
    FigureCanvasAgg(figure)
    panels = figure.subplots(n_rows, PANELS, sharex=True, sharey=True, squeeze=False)
    for axes in panels.flat[len(families) :]:
        axes.set_visible(False)
    for axes, family in zip(panels.flat, families, strict=False):
        _draw_panel(axes, x, y, *cells[family], norm)
        axes.set_title(TITLES.get(family, family), fontsize=10, loc="left")
    labels = [f"{name}*" if name in others else name for name in columns]
    panels[0, 0].set_xticks(*_ticks(x, labels))
    named = [row if row in HEADINGS else measure_label(row) for row in rows]
    panels[0, 0].set_yticks(*_ticks(y, named))
    panels[0, 0].invert_yaxis()
    for axes in panels[:, 0]:
        for label in axes.get_yticklabels():
            if label.get_text() in HEADINGS:
                label.set_weight("bold")
    bar = figure.colorbar(
        ScalarMappable(norm, COLOURS),
        ax=panels,
        location="top",
        shrink=0.45,
        aspect=45,
        pad=0.01,
        extend="both",
    )
    bar.outline.set_linewidth(0.5)
    bar.ax.tick_params(labelsize=8)
    bar.set_label(
        "← invented answers are rougher          invented answers are smoother, as claimed →", fontsize=9
    )
    figure.suptitle(f"Are invented answers smoother? ({results['model']})", fontsize=13)
    notes = (
        "Difference within one question or subject, in standard deviations of an answer. "
        "Dot: the 95% interval is clear of zero."
    )
    if others:
        notes += "\n* not counted in the mean: wording gives the label away, or too few questions are matched"
    figure.supxlabel(notes, fontsize=8.5, color="#444444")
    return figure


def _rows() -> list[str]:
    """All measures together, those of roughness and those of peaks, under headings."""
    rows = [ALL]
    for family in HEADINGS:
        rows += [family, *(measure for measure in CLAIMED if family_of(f"any.{measure}") == family)]
    return rows


def _cells(
    results: Mapping[str, Any], family: str, columns: Sequence[str], rows: Sequence[str]
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Values of one panel, NaN in gaps and headings, and whether they are clear of zero."""
    values = np.full((len(rows), len(columns)), np.nan)
    clear = np.zeros(values.shape, dtype=bool)
    for c, column in enumerate(columns):
        if column == GAP:
            continue
        found = results["claim" if column == MEAN else "corpora"]
        found = found[family] if column == MEAN else found[column]["claim"][family]
        for r, row in enumerate(rows):
            if row in found:
                bounds = found[row]["mean"] if column == MEAN else found[row]
                values[r, c] = bounds["value"]
                clear[r, c] = bounds["low"] > 0 or bounds["high"] < 0
    return values, clear


def _edges(names: Sequence[str]) -> Floats:
    """Where cells begin and end: one unit each, gaps less."""
    return np.cumsum([0.0, *(GAP_WIDTH if name == GAP else 1.0 for name in names)])


def _ticks(edges: Floats, labels: Sequence[str]) -> tuple[list[float], list[str]]:
    """Middles and labels of the cells that are not gaps."""
    middles = (edges[:-1] + edges[1:]) / 2
    named = [(float(middle), label) for middle, label in zip(middles, labels, strict=True) if label != GAP]
    return [middle for middle, _ in named], [label for _, label in named]


def _draw_panel(
    axes: Axes, x: Floats, y: Floats, values: Floats, clear: npt.NDArray[np.bool_], norm: Normalize
) -> None:
    axes.pcolormesh(
        x, y, np.ma.masked_invalid(values), cmap=COLOURS, norm=norm, edgecolor="white", linewidth=0.8
    )
    dark = np.abs(np.ma.filled(norm(np.nan_to_num(values))) - 0.5) > 0.3  # a dark dot would not show there
    middle_x, middle_y = (x[:-1] + x[1:]) / 2, (y[:-1] + y[1:]) / 2
    for shown, colour in ((clear & ~dark, "#222222"), (clear & dark, "white")):
        row, column = np.nonzero(shown)
        axes.scatter(middle_x[column], middle_y[row], s=7, color=colour, linewidths=0)
    axes.tick_params(length=0, pad=2, labelsize=8)
    axes.tick_params(axis="x", labelrotation=90)
    for spine in axes.spines.values():
        spine.set_visible(False)
