import os

import numpy as np
import pytest

from benchmarks import accuracy
from benchmarks.accuracy import OURS, Run, limit_size, save, summarise
from halluscope.detector.labelled import check_labelled
from halluscope.evaluation.baselines import BASELINES, PUBLISHED
from halluscope.evaluation.evaluate import ABLATIONS
from halluscope.evaluation.prompted import PROMPTED
from halluscope.records import as_pairs
from tests.samples import chance_records, labelled_records

FEW = {"length": BASELINES["length"], "TriLens": PUBLISHED["TriLens"], "P(True)": PROMPTED["P(True)"]}


@pytest.fixture(autouse=True)
def few_methods(monkeypatch):
    monkeypatch.setattr(accuracy, "METHODS", FEW)
    monkeypatch.setattr(accuracy, "FOLDS", 3)


@pytest.fixture
def run(lm, tmp_path):
    labelled = check_labelled(as_pairs(labelled_records(18, seed=5)), None, None)
    return Run(lm, labelled, tmp_path / "tiny" / "planted")


def test_measured_once(run, monkeypatch):
    first = run.scores(2)
    assert set(first.scores) == {OURS, *ABLATIONS, *FEW}
    assert all(scores.shape == (2, 36) for scores in first.scores.values())
    assert first.auroc(OURS) > 0.9
    assert not np.array_equal(*first.scores[OURS])  # the seeds fold the groups differently
    monkeypatch.setattr(Run, "_measure", None)
    again = run.scores(2)
    for method, scores in first.scores.items():
        np.testing.assert_array_equal(again.scores[method], scores)


def test_only_what_is_missing_is_measured(run, monkeypatch):
    run.scores(1)
    asked = []
    monkeypatch.setattr(Run, "_measure", lambda self, missing: asked.extend(missing))
    run._path("length", 0).unlink()
    with pytest.raises(FileNotFoundError):
        run.scores(1)
    assert asked == [("length", 0)]


def test_other_pairs_or_other_code_are_measured_anew(run, lm, monkeypatch, tmp_path):
    path = run._path(OURS, 0)
    labelled = check_labelled(as_pairs(labelled_records(18, seed=6)), None, None)
    assert Run(lm, labelled, run.cache)._path(OURS, 0) != path
    monkeypatch.setattr(accuracy, "_SOURCES", {True: ("lm",), False: ("lm",)})
    assert run._path(OURS, 0) != path


def test_summary(run, lm, tmp_path):
    chance = check_labelled(as_pairs(chance_records(18, seed=3)), None, None)
    corpora = {
        "planted": run.scores(1),
        "chance": Run(lm, chance, tmp_path / "tiny" / "chance").scores(1),
        "truthfulqa": run.scores(1),
    }
    results = summarise(corpora)
    assert results["counted"] == ["planted", "chance"]  # wording gives the third away
    mean = np.mean([corpora[name].auroc(OURS) for name in results["counted"]])
    assert results["means"][OURS] == pytest.approx(mean)
    assert set(results["gains"]) == {*FEW, "best baseline of each corpus"}
    for gain in results["gains"].values():
        assert gain["holm"] >= gain["p"]
        assert gain["wins"] + gain["ties"] + gain["losses"] == 2


def test_the_longest_unused_states_go_first(tmp_path, capsys):
    folders = [tmp_path / "model" / name / "states-0" for name in ("old", "middle", "new")]
    for age, folder in enumerate(folders):
        save(folder / "states.npy", np.zeros(1000))
        os.utime(folder, (age, age))
    limit_size(tmp_path, 1)
    assert all(folder.exists() for folder in folders)
    limit_size(tmp_path, 17e-6)
    assert [folder.exists() for folder in folders] == [False, True, True]
    assert "old" in capsys.readouterr().out
    limit_size(tmp_path, 0)
    assert [folder.exists() for folder in folders] == [False, False, True]  # what was just used stays
