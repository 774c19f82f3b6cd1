"""Overlap of corpora with the facts that shipped detectors learned from."""

import json

import pytest

from benchmarks import overlap


@pytest.fixture(scope="module")
def known():
    return overlap.known_facts()


def test_a_fact_is_found_in_any_words_that_hold_it(known):
    texts = ["What does a barometer measure? Air pressure.", "A barometer measures the taste of soup."]
    assert overlap.share_stated(texts, known) == 0.5


def test_tables_of_every_domain_count(known):
    assert (
        overlap.share_stated(["Which country is Paris in? In France.", "The symbol of boron is B."], known)
        == 1
    )


def test_small_words_are_no_words():
    assert overlap.words_of("The Earth is in it, isn't it?") == {"earth", "isn't"}


def test_the_command_writes_the_share_of_every_labelled_file(tmp_path, monkeypatch):
    record = {"prompt": "What does a barometer measure?", "answer": "Air pressure.", "hallucinated": False}
    (tmp_path / "few.jsonl").write_text(json.dumps(record) + "\n")
    question = {"prompt": "What does it measure?", "answers": ["The pressure of air, with a barometer."]}
    (tmp_path / "asked.questions.jsonl").write_text(json.dumps(question) + "\n")
    monkeypatch.setattr(overlap, "RESULTS", tmp_path / "overlap.json")
    monkeypatch.setattr("sys.argv", ["overlap", "--data", str(tmp_path)])
    overlap.main()
    assert json.loads((tmp_path / "overlap.json").read_text()) == {"asked": 1.0, "few": 1.0}
