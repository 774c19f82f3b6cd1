import json
from pathlib import Path

from halluscope.lm.catalogue import DEFAULT_MODEL
from models.card import write_card
from models.facts import HELD_OUT_KINDS, unknown_kinds

FOLDER = Path(__file__).parents[2] / "models" / DEFAULT_MODEL


def read(name):
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def test_the_shipped_card_says_what_the_shipped_results_say(tmp_path):
    write_card(tmp_path, read("results.json"), read("manifest.json")["training"])
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == (FOLDER / "README.md").read_text(
        encoding="utf-8"
    )


def test_the_shipped_results_belong_to_the_shipped_detector():
    results, training = read("results.json"), read("manifest.json")["training"]
    assert results["cross_validated"]["n"] == training["pairs"]
    assert results["held_out_kinds"] == list(HELD_OUT_KINDS)
    assert results["unknown_kinds"] == list(unknown_kinds(DEFAULT_MODEL))
    assert not set(results["kinds"]) & {*HELD_OUT_KINDS, *results["unknown_kinds"]}
    assert results["knowledge"] == read("knowledge.json")
