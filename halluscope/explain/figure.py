"""Landscapes written to a file, in the format that its name asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from halluscope.errors import InputError
from halluscope.explain.caption import missing_glyphs_allowed
from halluscope.explain.interactive import import_plotly, interactive_landscapes, interactive_page
from halluscope.explain.landscape import DPI, draw_landscapes
from halluscope.explain.panel import Verdict
from halluscope.files import written_whole
from halluscope.surfaces.surface import Surface

SUFFIXES = (".png", ".svg", ".pdf", ".html")


def check_figure_path(path: str | Path) -> Path:
    """Make sure that a figure can be written to a path, before the work of making it.

    Raises
    ------
    InputError
        If the suffix is not one of `SUFFIXES`, the folder does not exist or a folder has that name.
    MissingPlotlyError
        If the suffix is ``.html`` and plotly is not installed.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        found = f"the suffix {path.suffix!r}" if path.suffix else "no suffix"
        raise InputError(f"{path}: {found}; a figure is written as one of {', '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}")
    if path.is_dir():
        raise InputError(f"{path} is a folder")
    if path.suffix.lower() == ".html":
        import_plotly()
    return path


def save_figure(
    path: str | Path,
    surfaces: Sequence[Surface],
    *,
    titles: Sequence[str] = (),
    verdicts: Sequence[Verdict] | None = None,
    prompt: str = "",
    channel: str | None = None,
) -> Path:
    """Draw the surfaces of one to three answers into a file.

    Parameters
    ----------
    path : path-like
        ``.png``, ``.svg`` and ``.pdf`` are drawn by matplotlib; ``.html`` is one page that turns with the
        mouse and needs no network. The file appears whole or not at all.
    surfaces, titles, verdicts, prompt, channel
        As for `draw_landscapes`.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InputError
        If the path or the surfaces will not do; see `check_figure_path` and `draw_landscapes`.
    """
    path = check_figure_path(path)
    kind = path.suffix.lower().removeprefix(".")
    with written_whole(path) as unfinished:
        if kind == "html":
            figure = interactive_landscapes(
                surfaces, titles=titles, verdicts=verdicts, prompt=prompt, channel=channel
            )
            unfinished.write_text(interactive_page(figure), encoding="utf-8")
        else:
            drawing = draw_landscapes(
                surfaces, titles=titles, verdicts=verdicts, prompt=prompt, channel=channel
            )
            with missing_glyphs_allowed():
                drawing.savefig(unfinished, format=kind, dpi=DPI)
    return path
