import json
import shutil

import numpy as np
import pytest

from benchmarks import measuring
from benchmarks.accuracy import OURS, count_seeds, load_measured, seeds_kept, summarise
from benchmarks.corpus import Corpus, read_corpora
from benchmarks.measuring import DETECTORS, load_scores, measure
from halluscope.detector.labelled import check_labelled
from halluscope.evaluation.sampled import SAMPLED
from halluscope.records import as_pairs
from tests.samples import chance_records, labelled_records

SHORT = (("Who?", "Bell."),)
FEW = ("length", "TriLens", "P(True)")
PLANTED, CHANCE = labelled_records(18, seed=5), chance_records(18, seed=3)


def corpus_of(lm, records, folder, name="planted"):
    return Corpus(name, lm, check_labelled(as_pairs(records), None, None), folder / "tiny" / name)


@pytest.fixture(autouse=True)
def few_folds(monkeypatch):
    monkeypatch.setattr(measuring, "FOLDS", 3)


@pytest.fixture(scope="module")
def measured(lm, tmp_path_factory):
    """A folder with seeds 0 and 1 of a planted difference and seed 0 of chance."""
    folder = tmp_path_factory.mktemp("measured")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(measuring, "FOLDS", 3)
        for seed in range(2):
            measure(corpus_of(lm, PLANTED, folder), seed, FEW)
        measure(corpus_of(lm, CHANCE, folder, "chance"), 0, FEW)
    return folder


@pytest.fixture
def planted(lm, tmp_path):
    return corpus_of(lm, PLANTED, tmp_path)


@pytest.fixture
def kept(measured, tmp_path, planted):
    """The planted difference, measured."""
    shutil.copytree(measured, tmp_path, dirs_exist_ok=True)
    return planted


def test_measured_once(kept, monkeypatch):
    first = load_scores(kept, 2, FEW)
    assert set(first.scores) == {*DETECTORS, *FEW}
    assert all(scores.shape == (2, 36) for scores in first.scores.values())
    assert first.auroc(OURS) > 0.9
    assert not np.array_equal(*first.scores[OURS])  # the seeds fold the groups differently
    monkeypatch.setattr(Corpus, "recorded", None)
    measure(kept, 0, FEW)
    measure(kept, 1, FEW)


def test_only_what_is_missing_is_measured(kept, monkeypatch):
    before = {method: kept.path(method, 0).stat().st_mtime_ns for method in (OURS, *FEW)}
    kept.path("length", 0).unlink()
    asked = []
    recorded = Corpus.recorded

    def recording(self, methods):
        asked.extend(methods)
        return recorded(self, methods)

    monkeypatch.setattr(Corpus, "recorded", recording)
    measure(kept, 0, FEW)
    assert asked == ["length"]
    after = {method: kept.path(method, 0).stat().st_mtime_ns for method in (OURS, *FEW)}
    assert {method for method in after if after[method] != before[method]} == {"length"}


def test_what_is_measured_so_far_is_loaded_once(kept, lm, tmp_path):
    later = tmp_path / "later"
    kept.path("length", 1).rename(later)
    assert [seeds_kept(kept, most, FEW) for most in (1, 3)] == [1, 1]
    other = corpus_of(lm, CHANCE[:-2], tmp_path, "another")
    scores = {}
    load_measured([other, kept], 3, FEW, scores)
    assert set(scores) == {"planted"}
    assert count_seeds(scores["planted"]) == 1
    loaded = scores["planted"]
    load_measured([other, kept], 3, FEW, scores)
    assert scores["planted"] is loaded
    later.rename(kept.path("length", 1))
    load_measured([other, kept], 3, FEW, scores)
    assert count_seeds(scores["planted"]) == 2
    kept.path("length", 0).unlink()
    assert seeds_kept(kept, 1, FEW) == 0


def test_with_and_without_a_primer_in_one_cache(lm, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    lines = (json.dumps(record | {"group": record["prompt"]}) for record in labelled_records(16))
    (folder / "places.jsonl").write_text("\n".join(lines), encoding="utf-8")
    found = []
    for primer in (SHORT, (), SHORT):
        (corpus,) = read_corpora(lm, [folder], tmp_path / "cache", limit=100, primer=primer)
        measure(corpus, 0, ["logprob"])
        found.append(load_scores(corpus, 1, ["logprob"]).scores)
    for method in (OURS, "logprob"):
        assert not np.array_equal(found[0][method], found[1][method])
        np.testing.assert_array_equal(found[0][method], found[2][method])


def test_summary(kept, lm, tmp_path):
    chance = corpus_of(lm, CHANCE, tmp_path, "chance")
    scores = {each.name: load_scores(each, 1, FEW) for each in (kept, chance)}
    scores["truthfulqa"] = scores["planted"]
    results = summarise(scores)
    assert results["counted"] == ["planted", "chance"]  # wording gives the third away
    mean = np.mean([scores[name].auroc(OURS) for name in results["counted"]])
    assert results["means"][OURS] == pytest.approx(mean)
    assert set(results["gains"]) == {*FEW, "best baseline of each corpus"}
    for gain in results["gains"].values():
        assert gain["holm"] >= gain["p"]
        assert gain["wins"] + gain["ties"] + gain["losses"] == 2
    assert summarise({"truthfulqa": scores["truthfulqa"]})["counted"] == ["truthfulqa"]
    row = results["corpora"]["planted"]
    assert row["n"] == 36
    assert {OURS, row["best"]} == set(row["metrics"])
    assert row["gain"]["mean"]["value"] == pytest.approx(
        row["auroc"][OURS]["value"] - row["auroc"][row["best"]]["value"]
    )


def test_own_answers_are_compared_with_what_is_sampled(planted):
    methods = ("length", *SAMPLED)
    measure(planted, 0, methods)
    assert set(summarise({"planted": load_scores(planted, 1, methods)})["gains"]) == {
        *methods,
        "best baseline of each corpus",
    }
