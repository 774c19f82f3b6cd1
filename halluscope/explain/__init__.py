"""Explaining a detection: its surface as a landscape, beside those of other answers."""

from halluscope.explain.figure import check_figure_path, save_figure
from halluscope.explain.interactive import interactive_landscapes
from halluscope.explain.landscape import draw_landscapes
from halluscope.explain.panel import Verdict

__all__ = ["Verdict", "check_figure_path", "draw_landscapes", "interactive_landscapes", "save_figure"]
