"""Landscapes that turn with the mouse, drawn with plotly for the browser.

plotly is an optional dependency, so nothing here imports it before it is needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from halluscope.errors import HalluscopeError
from halluscope.explain.caption import caption_lines, token_label, token_ticks
from halluscope.explain.landscape import AZIMUTH, ELEVATION, LAYOUTS
from halluscope.explain.panel import Panel, Scene, Verdict, arrange_scene, widen
from halluscope.surfaces.surface import Surface

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# In pixels, as browsers count. The page fills the window; plotly does not break lines by itself, so captions
# are broken to suit a narrow one too
WIDTH, HEIGHT, NARROW = 1600, 700, 1280
COLORBAR_ROOM = 110
CAPTION_SIZES = (16.0, 18.0, 15.0)  # title, prompt, answer
VERDICT = 17.0
LEADING = 1.35  # line distance in font sizes
BOX_SCALE = {1: 1.1, 2: 1.02, 3: 0.78}  # with which boxes fill their scenes, by number of panels
DISTANCE = 2.1  # of the camera, in the unit of the box' edges


PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>halluscope</title><style>body {{ margin: 0 }}</style></head>
<body>
{}
</body>
</html>
"""


class MissingPlotlyError(HalluscopeError):
    """An interactive figure was asked for, but plotly is not installed."""


def import_plotly() -> ModuleType:
    """Import plotly's graph objects.

    Raises
    ------
    MissingPlotlyError
        If plotly is not installed.
    """
    try:
        import plotly.graph_objects
    except ImportError as error:
        raise MissingPlotlyError("an interactive figure needs plotly: install halluscope[html]") from error
    return plotly.graph_objects


def interactive_landscapes(
    surfaces: Sequence[Surface],
    *,
    titles: Sequence[str] = (),
    verdicts: Sequence[Verdict] | None = None,
    prompt: str = "",
    channel: str | None = None,
) -> Figure:
    """Draw the surfaces of one to three answers side by side, to be turned with the mouse.

    The same figure as `draw_landscapes` makes. Pointing at a place shows its layer, token and activity.

    Parameters
    ----------
    surfaces, titles, verdicts, prompt, channel
        As for `draw_landscapes`.

    Returns
    -------
    plotly.graph_objects.Figure
        The caller's to change, show or save.

    Raises
    ------
    MissingPlotlyError
        If plotly is not installed.
    InputError
        If the input does not make a figure.
    """
    plotly = import_plotly()
    scene = arrange_scene(surfaces, titles, verdicts, prompt, channel)
    figure = plotly.Figure()
    caption_width = (NARROW - COLORBAR_ROOM) / len(scene.panels) - 30
    captions = [
        caption_lines(panel.title, scene.prompt, panel.answer, caption_width, CAPTION_SIZES)
        for panel in scene.panels
    ]
    head = 16 + LEADING * max(sum(font["size"] for _, font in caption) for caption in captions)
    foot = 16 + LEADING * VERDICT
    for number, (panel, caption) in enumerate(zip(scene.panels, captions, strict=True)):
        name = f"scene{number + 1}" if number else "scene"
        left, right = ((number + n) * (1 - COLORBAR_ROOM / WIDTH) / len(captions) for n in (0, 1))
        figure.add_trace(_trace(scene, panel, name))
        figure.update_layout({name: _axes(scene, panel, (left, right))})
        above = head - 12
        for line, font in caption:
            _annotate(figure, line, font, (left + right) / 2, 1.0, above)
            above -= LEADING * font["size"]
        if panel.verdict:
            font = {"size": VERDICT, "color": panel.verdict.color}
            _annotate(figure, str(panel.verdict), font, (left + right) / 2, 0.0, 0.0)
    figure.update_layout(
        template="plotly_white",
        autosize=True,
        height=HEIGHT,
        margin={"l": 0, "r": 0, "t": head, "b": foot},
        font={"color": "#111111"},
        coloraxis=_coloraxis(scene),
    )
    return figure


def interactive_page(figure: Figure) -> str:
    """A whole page around a figure, with plotly's script inside it: it works offline and fills the window."""
    sizeless = type(figure)(figure).update_layout(height=None)
    config = {"displaylogo": False, "responsive": True}
    body = sizeless.to_html(full_html=False, include_plotlyjs=True, config=config, default_height="100vh")
    return PAGE.format(body)


def _escape(text: str) -> str:
    """Text in which plotly sees neither a tag nor an entity nor, where a page has MathJax, a formula."""
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("$", "&#36;")):
        text = text.replace(character, entity)
    return text


def _untagged(text: str) -> str:
    """Text for WebGL labels, where plotly knows tags but no entities: an invisible space undoes a tag."""
    return text.replace("<", "<\u200b")


def _annotate(figure: Figure, text: str, font: dict[str, Any], x: float, y: float, yshift: float) -> None:
    """Write a line whose top centre lies `yshift` pixels above a place on the paper."""
    place = {"x": x, "y": y, "xref": "paper", "yref": "paper", "xanchor": "center", "yanchor": "top"}
    figure.add_annotation(text=_escape(text), font=font, yshift=yshift, showarrow=False, **place)


def _trace(scene: Scene, panel: Panel, name: str) -> dict[str, Any]:
    tokens, layers, values = panel.grid
    names = [_escape(token_label(token, longest=60)) for token in panel.tokens]
    # the values as measured, beyond the scale too; whole texts, because plotly exchanges rows and columns
    # when a hovertemplate takes something from a grid
    notes = [
        [
            f"layer {layer}<br>token {name}<br>activity {value:.3f}"
            for name, value in zip(names, row, strict=True)
        ]
        for layer, row in enumerate(panel.values)
    ]
    # thin lines along every layer and every token, as on the printed figure
    lines = {"show": True, "color": "#666666", "width": 1, "size": 1}
    return {
        "type": "surface",
        "scene": name,
        "x": tokens,
        "y": layers,
        "z": np.clip(values, scene.low, scene.high),
        "text": widen(np.array(notes, dtype=object)),
        "hoverinfo": "text",
        "coloraxis": "coloraxis",
        "contours": {
            "x": {**lines, "start": tokens[0], "end": tokens[-1]},
            "y": {**lines, "start": layers[0], "end": layers[-1]},
        },
        "lighting": {"ambient": 0.85, "diffuse": 0.35, "specular": 0.02, "roughness": 1.0},
    }


def _axes(scene: Scene, panel: Panel, place: tuple[float, float]) -> dict[str, Any]:
    layout = LAYOUTS[len(scene.panels)]
    tokens, layers, _ = panel.grid
    ticks = token_ticks(panel.tokens, layout.most_ticks)
    look = {
        "showbackground": True,
        "backgroundcolor": "#f7f7f7",
        "gridcolor": "#dddddd",
        "tickfont": {"size": 11},
    }
    # the lowest tick label would run into the first token
    heights = [
        height
        for height in MaxNLocator(7).tick_values(scene.low, scene.high)
        if scene.low + 0.08 * (scene.high - scene.low) < height <= scene.high
    ]
    elevation, azimuth = math.radians(ELEVATION), math.radians(AZIMUTH)
    eye = {
        "x": DISTANCE * math.cos(elevation) * math.cos(azimuth),
        "y": DISTANCE * math.cos(elevation) * math.sin(azimuth),
        "z": DISTANCE * math.sin(elevation),
    }
    return {
        "domain": {"x": place, "y": (0.0, 1.0)},
        "xaxis": {
            **look,
            "title": {"text": ""},  # see annotations,
            "range": (tokens[0], tokens[-1]) if len(panel.tokens) > 1 else (-1, 1),
            "tickvals": list(ticks),
            "ticktext": [_untagged(label) for label in ticks.values()],
        },
        "yaxis": {**look, "title": {"text": "layer"}, "range": (layers[0], layers[-1])},
        "zaxis": {
            **look,
            "title": {"text": "activity"},
            "range": (scene.low, scene.high),
            "tickvals": heights,
        },
        # plotly writes an axis' title across long tick labels and has no setting for its distance
        "annotations": [
            {
                "text": "generated token",
                "font": {"size": 14},
                "x": tokens.mean(),
                # a little inside: plotly hides it when rounding puts it outside
                "y": layers[0] + 0.01,
                "z": scene.low + 0.001 * (scene.high - scene.low),
                "xshift": -50,
                "yshift": -50,
                "showarrow": False,
            }
        ],
        "aspectmode": "manual",
        "aspectratio": {
            axis: BOX_SCALE[len(scene.panels)] * length
            for axis, length in zip("xyz", layout.box, strict=True)
        },
        "camera": {"eye": eye, "projection": {"type": "orthographic"}},
    }


def _coloraxis(scene: Scene) -> dict[str, Any]:
    beyond = {
        "neither": "",
        "min": "<br>(lower: cut off)",
        "max": "<br>(higher: cut off)",
        "both": "<br>(beyond: cut off)",
    }
    return {
        "colorscale": "RdYlGn",
        "cmin": scene.low,
        "cmax": scene.high,
        "colorbar": {
            "title": {"text": f"activity: {_escape(scene.channel)}{beyond[scene.clipped]}", "side": "right"},
            "thickness": 16,
            "len": 0.75,
            "x": 1 - COLORBAR_ROOM / WIDTH,
            "xanchor": "left",
        },
    }
