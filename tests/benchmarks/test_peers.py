"""Contestants in processes of their own take turns, and one that cannot run is named with its error."""

import json
import subprocess
import sys

import pytest

from benchmarks.peers import __main__ as peers
from benchmarks.peers.contestants import CONTESTANTS
from benchmarks.peers.table import load_peers, peers_table
from benchmarks.peers.worker import describe
from halluscope.records import as_pairs
from tests.samples import labelled_records

PAIRS = as_pairs(labelled_records(2))


def test_pairs_as_they_are_given(detector):
    pairs = peers.without_primer(detector)
    for pair, given in zip(PAIRS, peers.as_given(pairs, PAIRS), strict=True):
        read = detector.lm.tokenize(pair.prompt, pair.answer)
        assert (*given["prompt_ids"], *given["answer_ids"]) == read.ids
        assert pair.answer in given["text"]


def test_a_worker_takes_turns_and_one_that_cannot_run_is_named(detector, model_folder, monkeypatch):
    names = {"usual loop": True, "concept-probes": False}
    monkeypatch.setattr(
        peers, "CONTESTANTS", {name: ("", own, CONTESTANTS[name][2]) for name, own in names.items()}
    )
    monkeypatch.setattr(peers, "OURS", "usual loop")
    files = {"short": peers.as_given(detector, PAIRS), "one": peers.as_given(detector, PAIRS[:1])}
    task = {"model": str(model_folder), "dtype": "float32", "files": files}
    first, found = peers.measure(task, 2, sys.executable)
    assert list(first["files"]) == ["short"]
    assert found["errors"] == {"concept-probes": "ModuleNotFoundError: No module named 'concept_probes'"}
    assert [found["files"][name]["pairs"] for name in files] == [4, 1]
    row = found["files"]["short"]["contestants"]["usual loop"]
    assert (row["ratio"], row["low"], row["high"]) == (1, 1, 1)
    assert row["milliseconds"] > 0
    assert row["megabytes"] >= 0
    lines = peers_table({"command": "c", "threads": 1, **found}).splitlines()
    assert sum(line.startswith("| usual loop | all layers |") for line in lines) == 2
    assert any("could not run" in line for line in lines)


ANSWERS_ONCE = """
print('{"ready": true}', flush=True)
input()
print('{"seconds": 1, "megabytes": 1}', flush=True)
"""
ANSWERS = ANSWERS_ONCE + 'while input(): print(\'{"seconds": 2, "megabytes": 2}\', flush=True)'


@pytest.mark.parametrize("ours", ["dies", "lives"])
def test_a_worker_that_dies_is_named(monkeypatch, ours):
    spoken = {"dies": ANSWERS_ONCE, "lives": ANSWERS}
    started = subprocess.Popen

    def start(command, **options):
        return started([sys.executable, "-c", spoken[command[3]]], **options)

    monkeypatch.setattr(peers.subprocess, "Popen", start)
    monkeypatch.setattr(peers, "CONTESTANTS", dict.fromkeys(spoken, ("", True, None)))
    monkeypatch.setattr(peers, "OURS", ours)
    measured = peers.measure({"files": {"f": [{}], "g": [{}]}}, 1, sys.executable)
    if ours == "dies":
        with pytest.raises(SystemExit, match="dies could not run: ended with"):
            next(measured)
    else:
        found = list(measured)[-1]
        assert list(found["errors"]) == ["dies"]
        assert [list(file["contestants"]) for file in found["files"].values()] == [["lives"]] * 2


def test_ratios_are_of_the_same_round(monkeypatch):
    monkeypatch.setattr(peers, "OURS", "a")
    turns = {"a": [9.0, 1.0, 2.0, 4.0], "b": [90.0, 2.0, 2.0, 12.0]}
    turns = {name: [{"seconds": s, "megabytes": 3 * s} for s in taken] for name, taken in turns.items()}
    found = peers.compare(turns, 10)["b"]
    assert found == {"milliseconds": 200, "ratio": 2, "low": 1, "high": 3, "megabytes": 6}


def test_without_an_environment_or_results(tmp_path):
    with pytest.raises(SystemExit, match="run first make peers"):
        peers.main(["--data", str(tmp_path), "--peers-python", str(tmp_path / "python")])
    assert peers_table(load_peers(tmp_path / "none.json")) == "Not measured yet for this version."
    (tmp_path / "some.json").write_text(json.dumps({"files": {}}))
    assert load_peers(tmp_path / "some.json") == {"files": {}}


def test_errors_are_named_by_their_last_line():
    assert describe(ValueError("first\nlast")) == "ValueError: last"
    assert describe(KeyError()) == "KeyError"
