import json

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from halluscope.detector import Detector
from halluscope.detector.labelled import check_labelled
from halluscope.detector.states import pool_states
from halluscope.errors import InputError
from halluscope.evaluation.baselines import BASELINES
from halluscope.evaluation.evaluate import ABLATIONS, evaluate
from halluscope.evaluation.metrics import METRICS
from halluscope.evaluation.recording import record_pairs
from halluscope.evaluation.report import print_results, write_results
from halluscope.folds import grouped_folds
from halluscope.records import as_pairs
from tests.samples import chance_records, labelled_records

FEW = ("length", "logprob")


@pytest.fixture(scope="module")
def unfitted(lm):
    return Detector(lm, folds=2)


@pytest.fixture(scope="module")
def noisy():
    """Pairs that a detector gets partly right: half of the questions have labels by chance."""
    hard = [
        record | {"prompt": record["prompt"].replace("place", "spot")}
        for record in chance_records(18, seed=4)
    ]
    return [{k: v for k, v in r.items() if k != "id"} for r in labelled_records(18, seed=5) + hard]


@pytest.fixture(scope="module")
def evaluated(unfitted, noisy):
    return evaluate(unfitted, noisy, n_folds=3, seed=1, baselines=FEW)


def test_schema(unfitted):
    results, predictions = evaluate(unfitted, labelled_records(14, seed=2), n_folds=2)
    json.dumps(results, allow_nan=False)
    assert (results["n"], results["n_groups"]) == (28, 14)
    assert "seen" not in results
    assert set(results["baselines"]) == set(results["gains"]) == set(BASELINES)
    assert set(results["ablations"]) == set(ABLATIONS)
    for metrics in (results["metrics"], *results["baselines"].values(), *results["ablations"].values()):
        assert set(metrics) == set(METRICS) == {"auroc", "auprc", "brier", "ece", "tpr_at_5fpr", "aurc"}
        for metric in metrics.values():
            assert metric["low"] <= metric["value"] <= metric["high"]
    for gain in results["gains"].values():
        assert set(gain) == {"value", "low", "high"}
    assert [p["id"] for p in predictions][:3] == ["0-0", "0-1", "1-0"]
    assert {p["fold"] for p in predictions} == {0, 1}


def test_metrics_are_those_of_the_predictions(evaluated, noisy):
    results, predictions = evaluated
    y = [record["hallucinated"] for record in noisy]
    p = [prediction["probability"] for prediction in predictions]
    assert results["metrics"]["auroc"]["value"] == pytest.approx(roc_auc_score(y, p))
    for name in FEW:
        gain = results["metrics"]["auroc"]["value"] - results["baselines"][name]["auroc"]["value"]
        assert results["gains"][name]["value"] == pytest.approx(gain)
    assert [prediction["id"] for prediction in predictions] == [str(row) for row in range(len(noisy))]


def test_equal_to_fitting_a_clone_on_every_training_part(evaluated, unfitted, noisy):
    _, predictions = evaluated
    labelled = check_labelled(as_pairs(noisy), None, None)
    folds = grouped_folds(labelled.hallucinated, labelled.groups, 3, 1)
    probability = np.array([prediction["probability"] for prediction in predictions])
    for number, (train, test) in enumerate(folds):
        assert all(predictions[row]["fold"] == number for row in test)
        fitted = clone(unfitted).fit(
            [noisy[row] for row in train], labelled.hallucinated[train], groups=labelled.groups[train]
        )
        expected = fitted.predict_proba([noisy[row] for row in test])[:, 1]
        np.testing.assert_allclose(probability[test], expected, atol=1e-5)


def test_groups_stay_on_one_side(evaluated, noisy):
    _, predictions = evaluated
    folds = {}
    for record, prediction in zip(noisy, predictions, strict=True):
        folds.setdefault(record["prompt"], set()).add(prediction["fold"])
    assert all(len(found) == 1 for found in folds.values())


def test_labels_by_chance_give_chance(unfitted):
    results, _ = evaluate(unfitted, chance_records(40, seed=3), n_folds=2, baselines=("logprob",))
    for metrics in (results["metrics"], *results["ablations"].values(), *results["baselines"].values()):
        assert 0.25 <= metrics["auroc"]["value"] <= 0.75


def test_a_planted_difference_is_found(unfitted):
    results, _ = evaluate(unfitted, labelled_records(30, seed=3), n_folds=2, baselines=())
    assert results["metrics"]["auroc"]["value"] > 0.9
    assert results["baselines"] == results["gains"] == {}


def test_a_fitted_detector_is_tested_as_it_is(detector):
    pairs = labelled_records(20, seed=8)
    for number, record in enumerate(pairs):
        record["prompt"] = f"What is new place {number // 2}?"
    before = detector.identity
    results, predictions = evaluate(detector, pairs, n_folds=3, baselines=("logprob",))
    np.testing.assert_array_equal(
        [p["probability"] for p in predictions], detector.predict_proba(pairs)[:, 1]
    )
    assert {p["fold"] for p in predictions} == {None}
    assert results["ablations"] == {}
    assert results["seen"] == 0
    assert detector.identity == before


def test_fitting_on_everything_is_had_for_no_further_pass(lm, noisy):
    detector = Detector(lm, folds=2)
    evaluate(detector, noisy, n_folds=3, baselines=(), fit=True)
    expected = Detector(lm, folds=2).fit(noisy)
    np.testing.assert_allclose(detector.predict_proba(noisy), expected.predict_proba(noisy), atol=1e-6)
    assert detector.training_["digest"] == expected.training_["digest"]


def test_questions_seen_in_training_are_told(detector, records, capsys):
    results, _ = evaluate(detector, records, n_folds=3, baselines=("length",))
    assert results["seen"] == len(records)
    print_results(results)
    assert "trained on the questions of 80 of these 80 pairs" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "no pairs"),
        ([{"prompt": "a?", "answer": "b."}], "pair 1: the label"),
        (labelled_records(3), "3 groups cannot fill 4 folds"),
        (labelled_records(4), r"training part is too small .* own folds"),
    ],
)
def test_refused_before_anything_is_recorded(lm, pairs, message, monkeypatch):
    monkeypatch.setattr("halluscope.evaluation.evaluate.record_pairs", None)
    with pytest.raises(InputError, match=message):
        evaluate(Detector(lm, folds=4), pairs, n_folds=4)


def test_recording_for_baselines(lm, noisy):
    labelled = check_labelled(as_pairs(noisy[:6]), None, None)
    tokenized = lm.tokenize_pairs(labelled.pairs)
    recorded = record_pairs(lm, labelled)
    np.testing.assert_allclose(recorded.states, pool_states(lm, tokenized), atol=1e-5)
    for row, pair in enumerate(labelled.pairs):
        lens = lm.surface(pair.prompt, pair.answer)["lens"][-1]  # the last row is the model's own prediction
        np.testing.assert_allclose(recorded.logprobs[row], lens, atol=1e-4)
    assert recorded.prompts[0] == noisy[0]["prompt"]


def test_results_on_disk(evaluated, tmp_path, monkeypatch):
    results, predictions = evaluated
    folder = tmp_path / "new" / "results"
    write_results(folder, results, predictions)
    assert json.loads((folder / "results.json").read_text()) == results
    assert [
        json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()
    ] == predictions
    monkeypatch.setattr("pathlib.Path.replace", lambda self, target: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_results(folder, {}, [])
    monkeypatch.undo()
    assert json.loads((folder / "results.json").read_text()) == results
    assert len(list(folder.iterdir())) == 2


def test_table(evaluated, capsys):
    results, _ = evaluated
    print_results(results | {"model": "/models/[red]mine[/red]"})
    out = capsys.readouterr().out
    for name in ("halluscope", *FEW, *ABLATIONS, "[red]mine[/red]"):
        assert name in out
