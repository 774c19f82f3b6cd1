"""The detector that ships, on the real default model."""

import json

import numpy as np
import pytest

import halluscope
from halluscope.cli.app import main
from halluscope.detector.shipped import load_detector_for, shipped_detectors
from halluscope.evaluation.metrics import auroc
from halluscope.lm.catalogue import DEFAULT_MODEL
from halluscope.records import read_records
from models.answers import own_pairs
from models.facts import HELD_OUT_KINDS
from models.own import features_of
from tests.test_readme import ROOT

QUESTION = "Who is Elon Musk?"
INVENTED = (
    "Elon Musk is a renowned pastry chef from rural France, known for inventing the world's first "
    "croissant-flavored ice cream."
)
TRUE = "Elon Musk is a South African-born entrepreneur, inventor, and business magnate."

pytestmark = pytest.mark.default_model


def test_it_ships():
    assert "smollm2-135m-instruct" in shipped_detectors()


def test_verdicts_of_the_figure():
    invented, true = (halluscope.detect(QUESTION, answer) for answer in (INVENTED, TRUE))
    assert invented.hallucinated
    assert not true.hallucinated
    assert invented.probability > true.probability


def test_well_known_people_places_and_things():
    pairs = list(read_records(ROOT / "benchmarks" / "well_known.jsonl", labelled=True))
    assert len({pair.group for pair in pairs}) == 20
    scores = load_detector_for().predict_proba(pairs)[:, 1]
    assert auroc([pair.hallucinated for pair in pairs], scores) > 0.6


def test_training_never_saw_the_man_or_the_well_known():
    pairs = list(read_records(ROOT / "benchmarks" / "well_known.jsonl"))
    assert load_detector_for().count_seen([*pairs, {"prompt": QUESTION, "answer": TRUE}]) == 0


def test_detect_prints_one_json_object(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["halluscope", "detect", QUESTION, TRUE, "--json"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert found["hallucinated"] is False
    assert {"probability", "threshold", "tokens", "model", "detector", "seconds"} <= set(found)
    assert "".join(TRUE[t["start"] : t["end"]] for t in found["tokens"]) == TRUE


def test_its_language_model_s_own_mistakes_are_told_from_what_it_gets_right():
    pairs = [pair for pair in own_pairs(DEFAULT_MODEL) if pair.topic in HELD_OUT_KINDS][::2]
    hallucinated = np.array([pair.hallucinated for pair in pairs])
    learned = load_detector_for().learned
    features = features_of(load_detector_for(), pairs, load_detector_for().lm)
    scores = learned.judge(features)[:, 1]
    assert auroc(hallucinated, scores) > 0.65
    assert scores[hallucinated].mean() > 0.45
    alone = learned.classifier.predict_proba(features)[:, 1]
    assert alone[hallucinated].mean() < 0.3  # fluent, so taken for true
