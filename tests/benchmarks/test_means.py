import numpy as np
import pytest

from benchmarks.means import FACTS, auroc_rows, compare, sets_of
from halluscope.evaluation.comparison import CorpusScores


def corpus(seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(120) % 2 == 0
    logits = {"halluscope": 1.5, "probe": 0.7, "length": 0.0}
    scores = {name: (signal * labels + rng.normal(size=120))[None] for name, signal in logits.items()}
    return CorpusScores(labels, [str(row // 2) for row in range(120)], scores, resamples=200)


CORPORA = {"animals": corpus(0), "cities": corpus(1), "truthfulqa": corpus(2)}


def test_sets_leave_out_what_wording_gives_away():
    sets = sets_of(CORPORA)
    assert sets.pop(FACTS) == ["animals", "cities"]
    assert sets == {"animals": ["animals"]}
    assert sets_of(["truthfulqa"]) == {}
    assert list(sets_of(["animals", "trivia"])) == [FACTS]


def test_means_and_gains():
    compared = compare(CORPORA, sets_of(CORPORA))
    assert compared["corpora"]["cities"]["n"] == 120
    assert compared["corpora"]["cities"]["n_groups"] == 60
    mean = compared["means"][FACTS]
    own, other = ([CORPORA[name].auroc(m) for name in mean["corpora"]] for m in ("halluscope", "probe"))
    assert mean["auroc"]["halluscope"]["value"] == pytest.approx(np.mean(own))
    gain = mean["gains"]["probe"]
    assert gain["mean"]["value"] == pytest.approx(np.mean(own) - np.mean(other))
    assert gain["mean"]["low"] < gain["mean"]["value"] < gain["mean"]["high"]
    assert gain["holm"] >= gain["p"]
    assert set(mean["gains"]) == {"probe", "length"}


def test_rows_of_a_table():
    lines = auroc_rows(compare(CORPORA, sets_of(CORPORA)))
    assert lines[0] == "| tested on | halluscope | probe | length |"
    assert [line.split(" |")[0] for line in lines[2:5]] == ["| animals", "| cities", "| truthfulqa*"]
    assert f"**{CORPORA['cities'].auroc('halluscope'):.3f}**" in lines[3]
    assert lines[5].startswith(f"| **mean of {FACTS}** |")
    assert lines[6].startswith("| gain of halluscope | | +")
    assert len({line.count("|") for line in lines}) == 1
