import json
import os

import numpy as np
import pytest

from benchmarks import cache as cache_module
from benchmarks import corpus as corpus_module
from benchmarks.cache import limit_size, path_of, save
from benchmarks.corpus import Corpus, read_corpora, subset, whole_groups
from halluscope.detector.labelled import check_labelled
from halluscope.records import Pair, as_pairs
from tests.benchmarks.test_accuracy import corpus_of
from tests.samples import labelled_records


def test_files_of_a_folder_but_questions(lm, tmp_path):
    for name in ("b.jsonl", "a.jsonl", "a.questions.jsonl"):
        lines = (json.dumps(record) + "\n" for record in labelled_records(8, seed=1))
        (tmp_path / name).write_text("".join(lines), encoding="utf-8")
    found = read_corpora(lm, [tmp_path], tmp_path / "cache", limit=10)
    assert [corpus.name for corpus in found] == ["a", "b"]
    assert all(10 <= len(corpus.labelled.pairs) < 16 for corpus in found)
    assert [c.name for c in read_corpora(lm, [tmp_path], tmp_path, limit=10, only=["b"])] == ["b"]
    with pytest.raises(SystemExit, match="no labelled"):
        read_corpora(lm, [tmp_path], tmp_path, limit=10, only=["c"])


def test_states_are_recorded_once(lm, tmp_path, monkeypatch):
    corpus = corpus_of(lm, labelled_records(6, seed=5), tmp_path)
    first = corpus.recorded(["length"])
    monkeypatch.setattr(type(lm), "visit", None)
    again = Corpus(corpus.name, lm, corpus.labelled, corpus.cache).recorded(["length"])
    np.testing.assert_array_equal(again.states, first.states)


def test_what_a_method_needs_is_recorded_once(lm, tmp_path, monkeypatch):
    corpus = corpus_of(lm, labelled_records(6, seed=5), tmp_path)
    first = corpus.recorded(["P(True)", "TriLens"])
    assert len(first.extras) > 1
    monkeypatch.setattr(corpus_module, "save", None)
    again = corpus.recorded(["P(True)", "TriLens"])
    for name, values in first.extras.items():
        np.testing.assert_array_equal(again.extras[name], values)


def test_other_pairs_have_other_paths(lm, tmp_path):
    corpus = corpus_of(lm, labelled_records(6, seed=5), tmp_path)
    labelled = check_labelled(as_pairs(labelled_records(6, seed=6)), None, None)
    assert Corpus("planted", lm, labelled, corpus.cache).path("length", 0) != corpus.path("length", 0)


def test_a_method_depends_on_its_own_code(lm, tmp_path, monkeypatch):
    corpus = corpus_of(lm, labelled_records(6, seed=5), tmp_path)
    before = {method: corpus.path(method, 0) for method in ("halluscope", "SAPLMA")}
    monkeypatch.setattr(cache_module, "_sources_of", lambda kind: ["evaluation/networks.py", "errors.py"])
    assert corpus.path("halluscope", 0) == before["halluscope"]
    assert corpus.path("SAPLMA", 0) != before["SAPLMA"]


def test_a_method_depends_on_what_records_its_needs(lm, tmp_path, monkeypatch):
    corpus = corpus_of(lm, labelled_records(6, seed=5), tmp_path)
    before = {method: corpus.path(method, 0) for method in ("SAPLMA", "P(True)", "TriLens", "EigenScore")}
    monkeypatch.setattr(cache_module, "sources_of_pass", lambda record: ["errors.py"])
    after = {method: corpus.path(method, 0) for method in before}
    assert {method for method in before if before[method] != after[method]} == {"P(True)", "EigenScore"}
    monkeypatch.setattr(cache_module, "EXTRAS", {})
    assert corpus.path("TriLens", 0) != before["TriLens"]
    assert corpus.path("SAPLMA", 0) == before["SAPLMA"]


def test_samples_are_drawn_once(lm, tmp_path, monkeypatch):
    corpus = corpus_of(lm, labelled_records(6, seed=5), tmp_path)
    first = corpus.recorded(["EigenScore"]).recorded("eigenscore")
    assert first.shape == (len(corpus.labelled.pairs),)
    monkeypatch.setattr(corpus_module, "save", None)
    np.testing.assert_array_equal(corpus.recorded(["EigenScore"]).recorded("eigenscore"), first)


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


def test_whole_groups():
    pairs = [Pair(f"question {i // 3}", f"answer {i}") for i in range(90)]
    chosen = whole_groups(pairs, 20, seed=0)
    assert len(chosen) == 21
    assert len({pair.prompt for pair in chosen}) == 7
    assert chosen == whole_groups(pairs, 20, seed=0)
    assert whole_groups(pairs, 1000, seed=0) != pairs  # shuffled, and all of them
    assert len(whole_groups(pairs, 1000, seed=0)) == 90


def test_paths_know_what_was_learned_from_and_on_which_models(lm, tmp_path):
    labelled = corpus_of(lm, labelled_records(6, seed=5), tmp_path).labelled
    part = subset(labelled, np.arange(4))
    assert [pair.answer for pair in part.pairs] == [pair.answer for pair in labelled.pairs[:4]]
    found = {
        path_of(tmp_path, "stack", "from-x", lms, pairs)
        for lms in ([lm], [lm, lm])
        for pairs in ([labelled], [part, labelled], [labelled, part])
    }
    assert len(found) == 6
