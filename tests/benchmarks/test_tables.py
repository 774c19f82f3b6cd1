"""Tables are made from results, and each has its place in the README."""

import pytest

from benchmarks.tables import TABLES, replace_table
from models.card import auroc_table


def interval(value):
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


PLACES = [(path, name) for path, tables in TABLES.items() for name in tables]


@pytest.mark.parametrize(("path", "name"), PLACES, ids=[name for _, name in PLACES])
def test_the_readme_shows_the_results_as_they_are(path, name):
    text = path.read_text(encoding="utf-8")
    assert "TABLE" in replace_table(text, name, "TABLE")
    assert replace_table(text, name, TABLES[path][name]()) == text


def test_replacing_changes_nothing_else():
    text = "a\n<!-- table x -->\nold\n<!-- end x -->\nb"
    assert replace_table(text, "x", r"new \1") == "a\n<!-- table x -->\nnew \\1\n<!-- end x -->\nb"
    with pytest.raises(ValueError, match="'y'"):
        replace_table(text, "y", "new")


def test_auroc_table():
    row = {"n": 7, "metrics": {"auroc": interval(0.8)}, "baselines": {"length": {"auroc": interval(0.5)}}}
    assert auroc_table({"held_out": row}).splitlines() == [
        "| | pairs | halluscope | length |",
        "|---|---|---|---|",
        "| held out | 7 | **0.800** (0.700 to 0.900) | 0.500 |",
    ]
