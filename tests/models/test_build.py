"""The build of a shipped detector, from a folder that has nothing but what the language model knows."""

import json

import numpy as np
import pytest

from halluscope.detector import Detector
from halluscope.lm.language_model import LanguageModel
from halluscope.records import as_pairs
from models import build as building
from models.facts import HELD_OUT_KINDS
from models.own import ALONE
from tests.samples import labelled_records

UNKNOWN = ("dull",)


@pytest.fixture
def folder(lm, tmp_path, monkeypatch):
    records = labelled_records(60)
    for number, record in enumerate(records):
        held_out = number // 2 - 40  # of the last twenty questions, five of each kind that is not trained on
        record["topic"] = "places" if held_out < 0 else (*HELD_OUT_KINDS, *UNKNOWN)[held_out // 5]
    monkeypatch.setattr(building, "build_pairs", lambda seed, unknown: records)
    monkeypatch.setattr(building, "unknown_kinds", lambda model: UNKNOWN)
    monkeypatch.setattr(building, "was_asked", lambda model: False)
    monkeypatch.setattr(building, "BASELINES", ("length", "logprob"))  # the probe takes most of the time
    monkeypatch.setattr(LanguageModel, "from_pretrained", lambda name: lm)
    folder = tmp_path / "tiny"
    folder.mkdir()
    knowledge = {kind: {"twins": 5, "preferred": 0.5} for kind in ("places", *UNKNOWN)}
    (folder / "knowledge.json").write_text(json.dumps(knowledge))
    return folder


def test_a_detector_appears_beside_what_the_model_knows(folder, lm):
    building.build("tiny", 0, folder)
    assert {path.name for path in folder.iterdir()} == {
        *("README.md", "knowledge.json", "results.json"),
        *("classifier.skops", "manifest.json", "readings.safetensors"),
    }
    results = json.loads((folder / "results.json").read_text())
    assert results["kinds"] == ["places"]
    assert results["cross_validated"]["n"] == 80
    assert results["held_out"]["held-out kinds"]["n"] == 30
    detector = Detector.load(folder, lm)
    assert detector.training_["pairs"] == 80
    assert np.isfinite(detector.predict_proba([("What is place 1?", "A lake.")])).all()


def test_and_is_replaced_by_one_that_was_taught_the_model_s_own_answers(folder, lm, monkeypatch):
    own = labelled_records(40, seed=3)
    for number, record in enumerate(own):
        record["topic"] = HELD_OUT_KINDS[0] if number >= 60 else "places"
    monkeypatch.setattr(building, "was_asked", lambda model: True)
    monkeypatch.setattr(building, "own_pairs", lambda model, seed: as_pairs(own))
    (folder / "manifest.json").write_text('{"format": 1, "model": {}}')
    building.build("tiny", 0, folder)
    results = json.loads((folder / "results.json").read_text())
    found = results["own_answers"]["own answers, held-out kinds"]
    assert (found["n"], set(found["baselines"])) == (20, {"length", "logprob"})
    assert 0 <= found[ALONE]["auroc"]["value"] <= 1
    part = Detector.load(folder, lm).own_answers_
    assert part.pairs == 60
    assert "60 of the language model's own answers" in (folder / "README.md").read_text()
