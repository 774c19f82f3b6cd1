"""Contestants take turns, and what is compared is compared on the same tokens."""

import time
from functools import partial

import pytest

from benchmarks import speed
from benchmarks.speed import (
    BARE,
    LOOP,
    OURS,
    UNPRIMED,
    against,
    files,
    one_answer,
    some_ids,
    training,
    without_primer,
)
from benchmarks.speed_table import calls_table, files_table, training_table
from halluscope.records import as_pairs
from tests.samples import labelled_records

PAIRS = as_pairs(labelled_records(6))


def test_ratios_are_of_the_same_round():
    turns = []
    seconds = {"one": 0.001, "other": 0.004}

    def work(name):
        turns.append(name)
        time.sleep(seconds[name])

    found = against("one", {name: partial(work, name) for name in seconds}, 3)
    assert sorted(turns) == ["one"] * 4 + ["other"] * 4
    assert set(found["ratio"]) == {"other"}
    ratio = found["ratio"]["other"]
    assert ratio["low"] <= ratio["median"] <= ratio["high"]
    assert set(found["milliseconds"]) == set(seconds)


def test_one_answer_a_prompt_and_nothing_in_common(detector):
    alone = one_answer(detector, PAIRS)
    assert len(alone) == 6
    assert len({pair.prompt[0] for pair in alone}) == 6
    tokenized = without_primer(detector).tokenize(alone)
    assert [pair.ids for pair in tokenized] == [(*pair.prompt, *pair.answer) for pair in alone]


def test_training_is_measured_once_without_warming_up(detector, monkeypatch):
    fitted = []
    monkeypatch.setattr(speed.Detector, "fit", lambda self, pairs: fitted.append(len(pairs)))
    found = training(detector, PAIRS, 2)
    assert fitted == [12, 12]
    assert found["pairs"] == 12
    assert set(found["ratio"]) == {OURS}
    *_, row, _, command = training_table(
        {"bfloat16": {}, "float32": {"command": "c", "threads": 2, "training": found}}
    ).splitlines()
    assert row.startswith("| float32 | 12 |")
    assert command == "`c`, 2 threads."
    assert training_table(None) == training_table({"bfloat16": {}}) == "Not measured yet for this version."


def test_without_a_primer_the_detector_itself_is_left_alone(detector):
    before = detector.primer_
    assert without_primer(detector).primer_ == ()
    assert detector.primer_ == before


def test_files_and_their_table(detector):
    found = files(detector, PAIRS, 1)
    assert set(found["two answers a prompt"]["milliseconds"]) == {BARE, LOOP, OURS, UNPRIMED}
    assert set(found["nothing shared"]["milliseconds"]) == {BARE, LOOP, UNPRIMED}
    assert 0 < found["nothing shared"]["features and classifier"] < 1
    call = {"prompt": 32, "answer": 8, **against(BARE, dict.fromkeys((BARE, OURS, UNPRIMED), int), 1)}
    results = {"bfloat16": {"command": "c", "threads": 2, "calls": [call], "files": found}}
    assert len(files_table(results).splitlines()) == 6
    assert len(calls_table(results).splitlines()) == 5
    assert files_table(None) == calls_table(None) == "Not measured yet for this version."


@pytest.mark.parametrize("n", [1, 40])
def test_tokens_for_a_single_call(lm, n):
    assert len(set(some_ids(lm, n))) == n
