import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import pooled, transfer
from benchmarks.cache import OURS, WITH_PRIOR
from benchmarks.corpus import Corpus
from benchmarks.means import FACTS
from benchmarks.pooled import Pool
from benchmarks.transfer import (
    all_but_one,
    kept_at,
    measure_all_but_one,
    measure_matrix,
    one_each,
    summarise_all_but_one,
    summarise_matrix,
)
from benchmarks.transfer_table import PROBE, transfer_table
from halluscope.evaluation.recorded import PairClassifier
from tests.benchmarks.named import named_corpus, questions
from tests.samples import chance_records

FEW = ("length", PROBE, "question-only probe")
SHARED = [
    {"prompt": "Who was first?", "answer": "A king.", "hallucinated": False, "group": "first"},
    {"prompt": "Who was first?", "answer": "QXQ 77.", "hallucinated": True, "group": "first"},
]


@pytest.fixture(autouse=True)
def few_methods(monkeypatch):
    monkeypatch.setattr(transfer, "OTHERS", FEW)


@pytest.fixture(scope="module")
def corpora(lm, tmp_path_factory):
    """Two that share a question, and one whose labels have nothing to do with its answers."""
    folder = tmp_path_factory.mktemp("corpora")
    return [
        named_corpus(lm, folder, "animals", 14, seed=1, extra=SHARED),
        named_corpus(lm, folder, "cities", 14, seed=2, extra=SHARED),
        named_corpus(lm, folder, "chance", 24, make=chance_records, seed=3),
    ]


@pytest.fixture(scope="module")
def measured(corpora):
    """Everything measured once; tests leave nothing missing."""
    pools, singles = all_but_one(corpora, 30), one_each(corpora)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfer, "OTHERS", FEW)
        measure_all_but_one(corpora, pools)
        measure_matrix(corpora, singles)
    return pools, singles


@pytest.fixture
def passed(monkeypatch):
    """What detectors and baselines are really given to learn from: (questions, answers, labels) in order."""
    given = {"detector": [], "baseline": []}
    fit, cross_validate = PairClassifier.fit, pooled.cross_validate

    def fitting(self, pairs, y, groups=None):
        given["baseline"].append((tuple(pairs.prompts), tuple(pairs.answers), tuple(y)))
        return fit(self, pairs, y, groups)

    def validating(detector, labelled, recorded, folds, source, **kwargs):
        y = tuple(labelled.hallucinated)
        given["detector"].append((tuple(recorded.prompts), tuple(recorded.answers), y))
        assert [pair.answer for pair in labelled.pairs] == recorded.answers
        return cross_validate(detector, labelled, recorded, folds, source, **kwargs)

    monkeypatch.setattr(PairClassifier, "fit", fitting)
    monkeypatch.setattr(pooled, "cross_validate", validating)
    return given


def test_what_is_planted_carries_over_and_chance_stays_chance(corpora, measured):
    pools, _ = measured
    results = summarise_all_but_one(corpora, pools)
    auroc = {name: row["auroc"] for name, row in results["corpora"].items()}
    for name in ("animals", "cities"):
        assert auroc[name][OURS]["value"] > 0.8  # although a half of what it learned from is chance
    assert abs(auroc["chance"][OURS]["value"] - 0.5) < 0.25
    assert results["trained_on"] == {name: len(pool.labelled.pairs) for name, pool in pools.items()}
    assert results["means"][FACTS]["corpora"] == ["animals", "cities", "chance"]


def test_all_learn_from_the_same_pairs_and_none_is_tested(corpora, passed, tmp_path):
    fresh = [replace(corpus, cache=tmp_path / corpus.name) for corpus in corpora]
    measure_all_but_one(fresh[:1], all_but_one(fresh, 20))
    (learned,) = passed["detector"]
    assert passed["baseline"].count(learned) == len(FEW)
    assert all(set(asked) <= set(learned[0]) for asked, _, _ in passed["baseline"])
    assert len(learned[0]) == 40
    assert 0 < sum(learned[2]) < 40
    assert not set(learned[0]) & questions(corpora[0].labelled)


def test_the_matrix_learns_from_one_and_tests_on_others(corpora, passed, tmp_path):
    fresh = [replace(corpus, cache=tmp_path / corpus.name) for corpus in corpora[:2]]
    measure_matrix(fresh, one_each(fresh))
    assert passed["detector"] == passed["baseline"]
    for corpus, (asked, _, _) in zip(fresh, passed["detector"], strict=True):
        assert set(asked) == questions(corpus.labelled) - {"Who was first?"}


def test_the_matrix_and_its_means(corpora, measured):
    results = summarise_matrix(corpora, measured[1])
    assert results["cells"]["animals"]["cities"][OURS]["value"] > 0.9
    assert results["cells"]["cities"]["animals"][PROBE]["value"] > 0.9
    assert set(results["cells"]["chance"]) == {"animals", "cities"}
    cells = [results["cells"][name]["animals"][OURS]["value"] for name in ("cities", "chance")]
    assert results["corpora"]["animals"]["auroc"][OURS]["value"] == pytest.approx(np.mean(cells))


def test_nothing_is_measured_twice(corpora, measured, monkeypatch):
    for what in (Corpus, Pool):
        monkeypatch.setattr(what, "recorded", None)
    monkeypatch.setattr(transfer, "judge", None)
    measure_all_but_one(corpora, all_but_one(corpora, 30))
    measure_matrix(corpora, one_each(corpora))


def test_other_training_pairs_have_other_paths(corpora, measured):
    other = all_but_one(corpora, 20)["cities"]
    assert kept_at(OURS, measured[0]["cities"], corpora[1]).exists()
    assert not kept_at(OURS, other, corpora[1]).exists()


def test_what_is_missing_is_measured_with_the_detector_that_was_kept(corpora, measured, monkeypatch):
    pools = measured[1]
    path = kept_at(OURS, pools["cities"], corpora[0])
    before, untouched = np.load(path), kept_at(OURS, pools["chance"], corpora[0]).stat().st_mtime_ns
    path.unlink()
    monkeypatch.setattr(transfer, "fit_detector", None)
    measure_matrix(corpora, pools)
    np.testing.assert_allclose(np.load(path), before, atol=1e-9)
    assert kept_at(OURS, pools["chance"], corpora[0]).stat().st_mtime_ns == untouched


def test_only_what_is_missing_is_measured(corpora, measured, passed):
    kept_at("length", measured[0]["cities"], corpora[1]).unlink()
    measure_all_but_one(corpora, measured[0])
    assert (len(passed["detector"]), len(passed["baseline"])) == (0, 1)


def test_what_wording_gives_away_is_tested_on_and_not_learned_from(corpora):
    given_away = replace(corpora[1], name="truthfulqa")
    pools = all_but_one([corpora[0], given_away, corpora[2]], 30)
    learned = {name: [corpus.name for corpus in pool.corpora] for name, pool in pools.items()}
    assert learned == {"animals": ["chance"], "truthfulqa": ["animals", "chance"], "chance": ["animals"]}
    assert list(all_but_one([corpora[0], given_away], 30)) == ["truthfulqa"]


def test_table(corpora, measured):
    pools, singles = measured
    results = {
        "all_but_one": summarise_all_but_one(corpora, pools),
        "matrix": summarise_matrix(corpora, singles),
    }
    text = transfer_table(json.loads(json.dumps(results)))
    # nothing ships for the tiny model
    gain = results["all_but_one"]["means"][FACTS]["gains"][PROBE]["mean"]["value"]
    assert f"gain of {WITH_PRIOR} over {PROBE} {gain:+.3f}" in text
    own = results["all_but_one"]["corpora"]["cities"]["auroc"]
    assert f"| cities | **{own[OURS]['value']:.3f}**" in text
    cell = results["matrix"]["cells"]["animals"]["cities"]
    row = next(line for line in text.splitlines() if line.startswith("| animals |  |"))
    assert row.split(" | ")[2] == f"{cell[OURS]['value']:.3f} / {cell[PROBE]['value']:.3f}"
    assert "Mean of corpora of facts" in text


def test_no_results_no_table(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.transfer_table.RESULTS", tmp_path)
    assert transfer_table() == "Not measured yet for this version."


def test_what_an_earlier_run_of_the_same_command_measured_stays(tmp_path):
    results = {"command": "transfer --limit 3", "model": "tiny"}
    assert transfer._measured_before(results, tmp_path) == {}
    transfer._write({**results, "matrix": {"cells": {}}}, tmp_path)
    assert transfer._measured_before(results, tmp_path) == {"matrix": {"cells": {}}}
    assert transfer._measured_before({**results, "command": "transfer --limit 4"}, tmp_path) == {}
