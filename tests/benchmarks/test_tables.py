"""Tables are made from results, and each has its place in the README."""

import pytest

from benchmarks.tables import README, TABLES, replace_table
from models.card import auroc_table


def interval(value):
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


def test_every_table_has_a_place_in_the_readme():
    text = README.read_text(encoding="utf-8")
    for name in TABLES:
        assert "TABLE" in replace_table(text, name, "TABLE")


@pytest.mark.parametrize("name", TABLES)
def test_the_readme_shows_the_results_as_they_are(name):
    text = README.read_text(encoding="utf-8")
    assert replace_table(text, name, TABLES[name]()) == text


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
