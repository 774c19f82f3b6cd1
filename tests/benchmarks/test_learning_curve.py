import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import learning_curve
from benchmarks.cache import OURS
from benchmarks.corpus import Corpus
from benchmarks.draws import Curve
from benchmarks.learning_curve import (
    SAME,
    draw_curves,
    learning_curve_table,
    load_scores,
    measure,
    summarise,
)
from halluscope.evaluation.recorded import PairClassifier
from tests.benchmarks.named import named_corpus
from tests.samples import chance_records

FEW = ("length", "best-layer probe")
SIZES = (4, 12)


@pytest.fixture(autouse=True)
def few_methods(monkeypatch):
    monkeypatch.setattr(learning_curve, "OTHERS", FEW)


@pytest.fixture(scope="module")
def planted(lm, tmp_path_factory):
    """Measured; tests leave nothing missing."""
    return measured(lm, tmp_path_factory.mktemp("planted"), "cities", 24)


def measured(lm, folder, name, n_questions, *, draws=2, **settings):
    curve = Curve(named_corpus(lm, folder, name, n_questions, **settings), SIZES, draws)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learning_curve, "OTHERS", FEW)
        measure(curve)
    return curve


def test_measured_once(planted, monkeypatch):
    scores = load_scores(planted, 12)
    assert set(scores.scores) == {OURS, *FEW}
    assert all(values.shape == (2, len(planted.split[1])) for values in scores.scores.values())
    assert scores.auroc(OURS) > 0.9
    monkeypatch.setattr(Corpus, "recorded", None)
    measure(Curve(planted.corpus, SIZES, 2))


def test_chance_stays_near_chance(lm, tmp_path):
    chance = measured(lm, tmp_path, "chance", 60, make=chance_records, seed=2)
    assert abs(load_scores(chance, 12).auroc(OURS) - 0.5) < 0.2


def test_all_learn_from_the_same_rows_and_none_is_tested(planted, tmp_path, monkeypatch):
    given = {"detector": [], "baseline": []}
    fit, cross_fit = PairClassifier.fit, learning_curve.cross_fit
    answers = np.array([pair.answer for pair in planted.corpus.labelled.pairs])
    prompts = np.array([str(pair.prompt) for pair in planted.corpus.labelled.pairs])

    def fitting(self, pairs, y, groups=None):
        given["baseline"].append((tuple(pairs.prompts), tuple(pairs.answers), tuple(y)))
        return fit(self, pairs, y, groups)

    def crossing(source, pairs, states, y, parts, *args, **kwargs):
        given["detector"] += [
            (tuple(prompts[part.rows]), tuple(answers[part.rows]), tuple(y[part.rows])) for part in parts
        ]
        return cross_fit(source, pairs, states, y, parts, *args, **kwargs)

    monkeypatch.setattr(PairClassifier, "fit", fitting)
    monkeypatch.setattr(learning_curve, "cross_fit", crossing)
    measure(Curve(replace(planted.corpus, cache=tmp_path), SIZES, 1))
    assert len(given["detector"]) == len(SIZES)
    assert sorted(given["baseline"]) == sorted(given["detector"] * len(FEW))
    tested = set(prompts[planted.split[1]])
    for asked, _, _ in given["detector"]:
        assert asked
        assert not set(asked) & tested


def test_only_what_is_missing_is_measured(planted, monkeypatch):
    gone = planted.path(OURS, planted.drawn[1])
    before, others = np.load(gone), planted.path(OURS, planted.drawn[0]).stat().st_mtime_ns
    gone.unlink()
    monkeypatch.setattr(PairClassifier, "fit", None)
    measure(planted)
    np.testing.assert_allclose(np.load(gone), before, atol=1e-6)
    assert planted.path(OURS, planted.drawn[0]).stat().st_mtime_ns == others


def test_summary_table_and_figure(planted, lm, tmp_path):
    small = measured(lm, tmp_path, "animals", 12, draws=1, seed=6)
    away = measured(lm, tmp_path, "truthfulqa", 24, draws=1, seed=7)
    results = json.loads(json.dumps(summarise([planted, small, away], SIZES)))
    assert results["left_out"] == {"4": {}, "12": {"animals": 8}}
    assert results["same_corpora"] == ["cities"]  # half of those of facts reach the largest size
    mean = results["sizes"]["4"]["means"][SAME]
    assert mean["corpora"] == ["cities"]
    assert mean["auroc"][OURS]["value"] == pytest.approx(load_scores(planted, 4).auroc(OURS))
    assert set(results["sizes"]["12"]["corpora"]) == {"cities", "truthfulqa"}
    text = learning_curve_table(results)
    assert text.startswith("| training pairs | 4 | 12 |")
    assert "Too small for 12 pairs, by those they have: animals 8." in text
    axes = draw_curves(results).axes[0]
    assert [line.get_label() for line in axes.lines] == [OURS, *FEW]
    values = [results["sizes"][str(size)]["means"][SAME]["auroc"][OURS]["value"] for size in SIZES]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), values)


def test_a_size_that_no_corpus_reaches(planted):
    curve = Curve(planted.corpus, (*SIZES, 800), 2)
    results = summarise([curve], (*SIZES, 800))
    assert set(results["sizes"]) == {"4", "12"}
    assert "Too small for 800 pairs, by those they have: cities 16." in learning_curve_table(results)


def test_no_results_no_table(tmp_path, monkeypatch):
    monkeypatch.setattr(learning_curve, "RESULTS", tmp_path)
    assert learning_curve_table() == "Not measured yet for this version."
