import json
from pathlib import Path

import pytest

from halluscope.lm.catalogue import KNOWN_MODELS
from models.card import write_card
from models.facts import HELD_OUT_KINDS, unknown_kinds

MODELS = Path(__file__).parents[2] / "models"


def read(model, name):
    return json.loads((MODELS / model / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("model", KNOWN_MODELS)
def test_the_shipped_card_says_what_the_shipped_results_say(model, tmp_path):
    write_card(tmp_path, read(model, "results.json"), read(model, "manifest.json"))
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == (MODELS / model / "README.md").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("model", KNOWN_MODELS)
def test_the_shipped_results_belong_to_the_shipped_detector(model):
    results, training = read(model, "results.json"), read(model, "manifest.json")["training"]
    assert results["cross_validated"]["n"] == training["pairs"]
    assert results["held_out_kinds"] == list(HELD_OUT_KINDS)
    assert results["unknown_kinds"] == list(unknown_kinds(model))
    assert not set(results["kinds"]) & {*HELD_OUT_KINDS, *results["unknown_kinds"]}
    assert results["knowledge"] == read(model, "knowledge.json")
