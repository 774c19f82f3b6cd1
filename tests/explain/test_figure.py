import re
from pathlib import Path

import pytest

from halluscope.errors import InputError
from halluscope.explain import figure as figure_module
from halluscope.explain.figure import check_figure_path, save_figure
from tests.explain.samples import PROMPT, VERDICTS, make_pair, make_surface

STARTS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF", ".html": b"<!doctype html>"}


@pytest.mark.parametrize("suffix", [*STARTS, ".PNG"])
def test_formats(tmp_path, suffix):
    path = tmp_path / f"figure{suffix}"
    hostile = make_surface("emoji 🚀 and 埃隆 $x^2$ <b> \x00")
    surfaces, verdicts = [*make_pair(), hostile], [*VERDICTS, VERDICTS[0]]
    assert save_figure(str(path), surfaces, verdicts=verdicts, prompt=PROMPT) == path
    assert path.read_bytes().startswith(STARTS[suffix.lower()])
    assert path.stat().st_size > 10_000
    assert list(tmp_path.iterdir()) == [path]


def test_page_needs_no_network(tmp_path):
    page = save_figure(tmp_path / "figure.html", make_pair(), prompt=PROMPT).read_text(encoding="utf-8")
    assert not re.search(r"<script[^>]*\ssrc=", page)
    assert not re.search(r"<link[^>]*\shref=", page)
    assert "plotly.js v" in page


@pytest.mark.parametrize("name", ["figure.jpg", "figure", "figure.png.txt", ".png"])
def test_other_suffixes(tmp_path, name):
    with pytest.raises(InputError, match=r"suffix.* \.png, \.svg, \.pdf, \.html"):
        check_figure_path(tmp_path / name)


def test_missing_folder(tmp_path):
    with pytest.raises(InputError, match="no folder"):
        check_figure_path(tmp_path / "missing" / "figure.png")


def test_folder_of_that_name(tmp_path):
    (tmp_path / "figure.png").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        check_figure_path(tmp_path / "figure.png")


def test_good_path_is_returned_and_not_touched(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(check_figure_path("figure.svg")) == "figure.svg"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".png", ".html"])
def test_failure_leaves_what_was_there(tmp_path, monkeypatch, suffix):
    def half(self, *arguments, **options):
        for argument in arguments:
            Path(argument).write_text("half")
        raise OSError("disk full")

    path = tmp_path / f"figure{suffix}"
    path.write_text("before")
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", half)
    monkeypatch.setattr(figure_module, "interactive_page", half)
    with pytest.raises(OSError, match="disk full"):
        save_figure(path, make_pair())
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "before"
