import json
from collections import Counter

import pytest

from halluscope import LanguageModel
from halluscope.evaluation.on_policy import normalise, telling_aliases
from halluscope.lm.catalogue import DEFAULT_MODEL
from models import answers
from models.answers import FORMS, LONGEST, MOST_QUESTIONS, kind_topics, own_pairs, own_questions, put
from models.facts.pairs import all_pairs, group_of_entities
from models.facts.split import HELD_OUT_KINDS, unknown_kinds
from models.own import learned_from

UNKNOWN = unknown_kinds(DEFAULT_MODEL)


@pytest.fixture(scope="module")
def questions():
    return own_questions(UNKNOWN)


def test_what_is_asked(questions):
    topics = kind_topics()
    asked = Counter(topics[question.topic] for question in questions)
    assert {"city_state", "state_capital", "capital", "people_and_history"} <= set(asked)
    assert not set(asked) & set(UNKNOWN)
    assert max(asked.values()) == MOST_QUESTIONS
    assert len({question.id for question in questions}) == len(questions)
    for question in questions:
        assert telling_aliases(question.text, question.answers)
        if topics[question.topic] != question.topic:
            assert all(len(normalise(answer).split()) <= LONGEST for answer in question.answers)


def test_every_way_of_asking_is_used_and_each_question_keeps_its_own(questions):
    prompts = [put(question) for question in questions]
    assert prompts == [put(question) for question in questions]
    found = Counter(prompt.removeprefix(q.text) for prompt, q in zip(prompts, questions, strict=True))
    assert set(found) == {form.removeprefix("{question}") for form in FORMS}
    assert min(found.values()) > len(questions) / 4


@pytest.fixture
def said(questions, tmp_path, monkeypatch):
    """Answers to the capitals and to American states: every third one right, one of them cut off."""
    asked = [question for question in questions if question.topic in ("capital", "state_capital")]
    rows = [
        {
            "id": question.id,
            "prompt": put(question),
            "answer": f"It is {question.answers[0]}." if number % 3 == 0 else "It is Atlantis.",
            "finished": number != 3,
        }
        for number, question in enumerate(asked)
    ]
    monkeypatch.setattr(answers, "ANSWERS", tmp_path)
    (tmp_path / "tiny.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return asked, rows


def test_as_many_right_as_wrong_answers_of_each_kind(said):
    asked, rows = said
    pairs = own_pairs("tiny")
    for kind in ("capital", "state_capital"):
        labels = [pair.hallucinated for pair in pairs if pair.topic == kind]
        right = [row["finished"] and "Atlantis" not in row["answer"] for row in rows]
        of_kind = [r for r, question in zip(right, asked, strict=True) if question.topic == kind]
        assert (labels.count(False), labels.count(True)) == (sum(of_kind), sum(of_kind))
    assert f"own-{rows[3]['id']}" not in {pair.id for pair in pairs}
    assert all(pair.hallucinated == ("Atlantis" in pair.answer) for pair in pairs)
    assert pairs == own_pairs("tiny")
    assert {pair.topic for pair in learned_from(pairs)} == {"capital"}
    assert "state_capital" in HELD_OUT_KINDS


def test_an_entity_is_in_the_group_of_its_facts(said):
    pairs = own_pairs("tiny")
    of_entity = group_of_entities()
    assert {pair.group for pair in all_pairs()} <= set(of_entity.values())
    assert {pair.group for pair in pairs} <= set(of_entity.values())
    fact = next(pair for pair in all_pairs() if pair.kind == "capital")
    assert of_entity[f"country-{fact.fact.entity}"] == fact.group


def test_the_command_asks_and_counts(lm, questions, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(answers, "ANSWERS", tmp_path)
    monkeypatch.setattr(answers, "own_questions", lambda unknown: questions[:5])
    monkeypatch.setattr(LanguageModel, "from_pretrained", lambda name: lm)
    assert not answers.was_asked(DEFAULT_MODEL)
    answers.main([])
    assert answers.was_asked(DEFAULT_MODEL)
    rows = [json.loads(line) for line in (tmp_path / f"{DEFAULT_MODEL}.jsonl").read_text().splitlines()]
    assert [row["prompt"] for row in rows] == [put(question) for question in questions[:5]]
    counted = [
        int(word.rstrip(",")) for word in capsys.readouterr().out.split() if word.rstrip(",").isdigit()
    ]
    assert sum(counted) == 5


def test_the_shipped_detector_learned_from_the_answers_that_are_kept():
    path = answers.MODELS / DEFAULT_MODEL / "manifest.json"
    described = json.loads(path.read_text(encoding="utf-8"))["own_answers"]
    assert described["pairs"] == len(learned_from(own_pairs(DEFAULT_MODEL)))
