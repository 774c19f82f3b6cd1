"""Text as it stands in a figure: readable, measured and broken into lines.

Prompts, answers and tokens are data: line breaks, control characters and half-decoded bytes become visible or
go, and no character is read as markup.
"""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.textpath import text_to_path

ELLIPSIS = "…"
MOST_LINES = (1, 2, 5)  # of title, prompt and answer
JOINERS = "\u200c\u200d"  # not printable by themselves, but part of how Persian and emoji are written

# matplotlib's own font first, so that a figure looks alike everywhere; the others fill in scripts it lacks
FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
    "Noto Emoji",
    "Arial Unicode MS",
    "Microsoft YaHei",
)


@cache
def font_families() -> tuple[str, ...]:
    """Those of `FONTS` that this machine has; naming others makes matplotlib complain in its log."""
    installed = {font.name for font in fontManager.ttflist}
    return tuple(name for name in FONTS if name in installed)


@contextmanager
def missing_glyphs_allowed() -> Iterator[None]:
    """Silence matplotlib's warning, one per character and drawing, about glyphs that no font has."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message=r"(?s)(Glyph .* missing from|Matplotlib currently does not support)"
        )
        yield


def plain_text(text: str) -> str:
    """Running text on one line: single spaces, no control characters, no lone surrogates."""
    visible = (" " if c.isspace() else c for c in text if c.isspace() or c.isprintable() or c in JOINERS)
    return " ".join("".join(visible).split())


def token_label(token: str, longest: int = 11) -> str:
    """A token as a label: line breaks and pure white space made visible, cut to `longest` characters."""
    label = plain_text(token.replace("\n", "↵"))
    if not label:
        return "␣" if token and token.isspace() else "·"
    return label if len(label) <= longest else label[: longest - 1] + ELLIPSIS


@lru_cache(maxsize=65536)
def _ems(character: str, bold: bool) -> float:
    """How far a character moves the pen, in font sizes."""
    # a wide (Chinese, Japanese, Korean, emoji) character counts as a full em even where the font lacks it
    measured = "W" if unicodedata.east_asian_width(character) in {"W", "F"} else character
    font = FontProperties(family=list(font_families()), size=100, weight="bold" if bold else "normal")
    with missing_glyphs_allowed():
        # between two strokes, because matplotlib measures ink and white space has none
        with_it, without = (
            text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]
            for text in (f"|{measured}|", "||")
        )
    return float(with_it - without) / 100


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width of a line of text in points, if anything a little too wide, as kerning is left out."""
    return size * sum(_ems(character, bold) for character in text)


def wrap_text(text: str, width: float, size: float, most_lines: int, bold: bool = False) -> list[str]:
    """Break text into lines, between words where there are any.

    Parameters
    ----------
    text : str
        One paragraph; see `plain_text`.
    width : float
        Room for a line, in points.
    size : float
        Font size in points.
    most_lines : int
        Text that needs more lines ends in an ellipsis.
    bold : bool
        Whether the text is set in bold.

    Returns
    -------
    list of str
        The lines, none of them empty.
    """
    lines: list[str] = []
    room = width / size
    start = 0
    while start < len(text):
        end = _line_end(text, start, room, bold)
        if end < len(text) and len(lines) == most_lines - 1:
            end = _line_end(text, start, room - text_width(ELLIPSIS, 1, bold), bold)
            return [*lines, text[start:end].strip() + ELLIPSIS]
        lines.append(text[start:end].strip())
        start = end
    return lines


def _line_end(text: str, start: int, ems: float, bold: bool) -> int:
    """Where the line from `start` ends: behind the last space that fits, or in the midst of a long word."""
    stop = start
    while stop < len(text) and (ems := ems - _ems(text[stop], bold)) >= 0:
        stop += 1
    if stop == len(text):
        return stop
    space = text.rfind(" ", start, stop + 1)
    return space + 1 if space > start else max(stop, start + 1)


def caption_lines(
    title: str, prompt: str, answer: str, width: float, sizes: tuple[float, float, float]
) -> list[tuple[str, dict[str, Any]]]:
    """The lines above a panel, each with its font in words that matplotlib and plotly share.

    Parameters
    ----------
    title, prompt, answer : str
        Any of them may be empty.
    width : float
        Room for a line, in the unit of the sizes.
    sizes : tuple of float
        Font sizes of title, prompt and answer.
    """
    answer = f"“{plain_text(answer)}”" if plain_text(answer) else ""
    fonts: list[dict[str, Any]] = [{"color": "#555555"}, {"weight": "bold"}, {}]
    return [
        (line, {"size": size, **font})
        for text, size, font, most_lines in zip(
            (title, prompt, answer), sizes, fonts, MOST_LINES, strict=True
        )
        for line in wrap_text(plain_text(text), width, size, most_lines, bold="weight" in font)
    ]


def token_ticks(tokens: Sequence[str], most: int) -> dict[int, str]:
    """Labels of evenly spaced tokens by position, few enough to stay apart."""
    return {i: token_label(tokens[i]) for i in range(0, len(tokens), -(-len(tokens) // most))}
