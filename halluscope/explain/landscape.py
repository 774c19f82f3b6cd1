"""Landscapes drawn with matplotlib, for the page and the screen."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox
from mpl_toolkits.mplot3d import Axes3D, proj3d

from halluscope.explain.caption import (
    caption_lines,
    font_families,
    missing_glyphs_allowed,
    text_width,
    token_ticks,
)
from halluscope.explain.panel import Panel, Scene, Verdict, arrange_scene
from halluscope.surfaces.surface import Surface

DPI = 100

# The view, shared with the interactive figure: tokens run to the right, layers to the back
ELEVATION, AZIMUTH = 30.0, -57.0


class _Layout(NamedTuple):
    """What depends on the number of panels."""

    size: tuple[float, float]  # of the figure, in inches
    box: tuple[float, float, float]  # lengths of the token, layer and activity axis
    most_ticks: int  # on the token axis
    label_pad: float  # how far the token axis' label moves away for each point that a token's label is wide


LAYOUTS = {
    1: _Layout((9.0, 7.0), (1.6, 1.15, 0.8), 18, 0.6),
    2: _Layout((16.0, 7.0), (1.6, 1.15, 0.8), 18, 0.6),
    3: _Layout((16.0, 7.0), (1.4, 1.2, 1.1), 12, 0.5),
}

# Everything below in points
MARGIN = 14.0
COLORBAR_ROOM = 80.0
CAPTION_SIZES = (12.0, 13.0, 11.0)  # title, prompt, answer
VERDICT, LABEL, TICK = 12.5, 10.0, 8.5
LEADING = 1.35  # line distance in font sizes
TOKEN_ANGLE = 35  # degrees by which token labels are turned


Room = tuple[float, float, float, float]  # left, bottom, width, height in points
Corners = npt.NDArray[np.float64]  # lower left and upper right, as rows


class _LandscapeFigure(Figure):
    """A figure that may hold any script: drawing it does not warn about glyphs that no font has."""

    def draw(self, renderer: RendererBase) -> None:
        with missing_glyphs_allowed():
            super().draw(renderer)


def draw_landscapes(
    surfaces: Sequence[Surface],
    *,
    titles: Sequence[str] = (),
    verdicts: Sequence[Verdict] | None = None,
    prompt: str = "",
    channel: str | None = None,
) -> Figure:
    """Draw the surfaces of one to three answers side by side, on one activity scale.

    Parameters
    ----------
    surfaces : sequence of Surface
        One for each answer.
    titles : sequence of str
        A line above each panel.
    verdicts : sequence of Verdict, optional
        Stated under each panel.
    prompt : str
        What was asked, above each panel.
    channel : str, optional
        The channel to draw; ``reading`` if there is one, else the first.

    Returns
    -------
    matplotlib.figure.Figure
        The caller's to change, show or save; not registered with pyplot.

    Raises
    ------
    InputError
        If the input does not make a figure; see `arrange_scene`.
    """
    scene = arrange_scene(surfaces, titles, verdicts, prompt, channel)
    layout = LAYOUTS[len(scene.panels)]
    # pyplot is left alone: its figures pile up, need a display, and are not for threads
    figure = _LandscapeFigure(figsize=layout.size, dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    width, height = figure.get_size_inches() * 72
    panel_width = (width - COLORBAR_ROOM - MARGIN) / len(scene.panels)
    captions = [
        caption_lines(panel.title, scene.prompt, panel.answer, panel_width - 2 * MARGIN, CAPTION_SIZES)
        for panel in scene.panels
    ]
    caption_height = LEADING * max(sum(font["size"] for _, font in caption) for caption in captions)
    top = height - MARGIN - caption_height
    bottom = MARGIN + (VERDICT * LEADING + 4 if any(panel.verdict for panel in scene.panels) else 0.0)
    rooms: list[Room] = [
        (MARGIN / 2 + number * panel_width, bottom, panel_width, top - bottom)
        for number in range(len(captions))
    ]
    _fit(figure, [_draw_panel(figure, scene, panel, layout) for panel in scene.panels], rooms)
    for panel, caption, (left, *_) in zip(scene.panels, captions, rooms, strict=True):
        middle = left + panel_width / 2
        y = height - MARGIN
        for line, font in caption:
            _write(figure, line, middle, y, **font)
            y -= LEADING * font["size"]
        if panel.verdict:
            _write(figure, str(panel.verdict), middle, bottom, size=VERDICT, color=panel.verdict.color)
    _draw_colorbar(figure, scene, width - COLORBAR_ROOM, bottom, top)
    return figure


def _text(**style: Any) -> dict[str, Any]:
    """Text properties with which no character of a prompt, an answer or a token is read as markup."""
    return {"parse_math": False, "usetex": False, "fontfamily": list(font_families()), **style}


def _write(figure: Figure, text: str, x: float, y: float, **style: Any) -> None:
    """Write text whose top centre is at a place in points from the lower left corner of the figure."""
    width, height = figure.get_size_inches() * 72
    figure.text(x / width, y / height, text, ha="center", va="top", **_text(**style))


def _draw_panel(figure: Figure, scene: Scene, panel: Panel, layout: _Layout) -> Axes3D:
    axes = Axes3D(
        figure,
        (0.0, 0.0, 1.0, 1.0),  # for _fit to change
        elev=ELEVATION,
        azim=AZIMUTH,
        proj_type="ortho",  # equal heights look equal, in front and at the back
        box_aspect=layout.box,
    )
    figure.add_axes(axes)
    axes.patch.set_visible(False)
    tokens, layers, values = panel.grid
    axes.plot_surface(
        *np.meshgrid(tokens, layers),
        np.clip(values, scene.low, scene.high),
        cmap="RdYlGn",
        vmin=scene.low,
        vmax=scene.high,
        rstride=1,
        cstride=1,
        edgecolor=(0.1, 0.1, 0.1, 0.35),
        linewidth=0.25,
        antialiased=True,
    )
    axes.set(xlim=tokens[[0, -1]], ylim=layers[[0, -1]], zlim=(scene.low, scene.high))
    if len(panel.tokens) == 1:
        axes.set_xlim(-1, 1)  # room beside the ribbon
    _label_axes(axes, panel, layout)
    return axes


def _label_axes(axes: Axes3D, panel: Panel, layout: _Layout) -> None:
    labels = token_ticks(panel.tokens, layout.most_ticks)
    turned = _text(rotation=TOKEN_ANGLE, rotation_mode="anchor", ha="right", va="center")
    axes.set_xticks(list(labels), list(labels.values()), **turned)
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    # the label of the token axis stands clear of the tick labels, which lean away from the axis
    label_pad = layout.label_pad * max(text_width(label, TICK) for label in labels.values())
    for name, axis, tick_pad, label, pad in (
        ("x", axes.xaxis, -3, "generated token", label_pad),
        ("y", axes.yaxis, -2, "layer", 2),
        ("z", axes.zaxis, 2, "activity", 2),
    ):
        axes.tick_params(axis=name, labelsize=TICK, pad=tick_pad)
        axis.set_label_text(label, fontsize=LABEL)
        axis.labelpad = pad
        axis.set_pane_color((0.97, 0.97, 0.97, 1.0))
        axis._axinfo["grid"].update(color="#dddddd", linewidth=0.6)  # mplot3d has no public way


def _fit(figure: Figure, panels: Sequence[Axes3D], rooms: Sequence[Room]) -> None:
    """Place each panel's axes so that the drawn box and its labels fill the panel's room, all on one scale.

    matplotlib draws the box of three axes somewhere within a square and leaves much of that empty. The
    squares may reach beyond the rooms, as only the boxes and their labels show.
    """
    page = figure.get_size_inches() * 72
    for axes in panels:
        axes.collections[0].set_visible(False)  # only the box and the labels are measured
    for _ in range(
        2
    ):  # labels reach other distances beyond a large box than beyond a small one, but not by much
        with missing_glyphs_allowed():
            figure.draw_without_rendering()
        reach = np.array([_labels(axes) - _outline(axes) for axes in panels])
        before, behind = (np.maximum(0, end).max(axis=0) for end in (-reach[:, 0], reach[:, 1]))
        square = panels[0].get_position()
        low, high = (_outline(panels[0]) - square.min * page) / (square.size * page)
        sizes = [np.array(room[2:]) - before - behind for room in rooms]
        side = min(float(np.min(size / (high - low))) for size in sizes)
        for axes, room, size in zip(panels, rooms, sizes, strict=True):
            origin = room[:2] + before + size / 2 - side * (low + high) / 2
            axes.set_position((*(origin / page), *(side / page)))
    for axes in panels:
        axes.collections[0].set_visible(True)


def _outline(axes: Axes3D) -> Corners:
    """Lower left and upper right corner of the box of three axes as it was drawn, in points."""
    ends = np.array([axes.get_xlim(), axes.get_ylim(), axes.get_zlim()])
    corners = np.array(list(itertools.product(*ends)))
    x, y, _ = proj3d.proj_transform(*corners.T, axes.get_proj())
    pixels = axes.transData.transform(np.column_stack([x, y]))
    return np.array([pixels.min(axis=0), pixels.max(axis=0)]) * 72 / axes.figure.dpi


def _labels(axes: Axes3D) -> Corners:
    """Lower left and upper right corner of what the three axes were drawn as, labels included, in points."""
    renderer = axes.figure.canvas.get_renderer()
    with missing_glyphs_allowed():
        boxes = [axis.get_tightbbox(renderer) for axis in (axes.xaxis, axes.yaxis, axes.zaxis)]
    return Bbox.union(boxes).get_points() * 72 / axes.figure.dpi


def _draw_colorbar(figure: Figure, scene: Scene, left: float, bottom: float, top: float) -> None:
    width, height = figure.get_size_inches() * 72
    axes = figure.add_axes(
        (left / width, (bottom + 0.14 * (top - bottom)) / height, 12 / width, 0.72 * (top - bottom) / height)
    )
    bar = figure.colorbar(
        ScalarMappable(Normalize(scene.low, scene.high), "RdYlGn"), cax=axes, extend=scene.clipped
    )
    bar.outline.set_linewidth(0.5)
    axes.tick_params(labelsize=TICK)
    bar.set_label(f"activity: {scene.channel}", fontsize=LABEL, **_text())
