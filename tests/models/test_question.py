import pytest

from models.question import Question, outcome_of

SAID = {
    "right": "It is Paris, or Orly.",
    "wrong": "It is Lyon.",
    "doubtful": "It is Orly.",
    "refused": "I'm sorry.",
    "empty": " ",
}


def row(answer, *, finished=True):
    return {"prompt": "Which city? Be brief.", "answer": answer, "finished": finished}


@pytest.mark.parametrize("outcome", SAID)
def test_outcomes(outcome):
    question = Question("q", "Which city?", ("Paris",), "q", doubtful=("Orly",))
    assert outcome_of(question, row(SAID[outcome])) == outcome


@pytest.mark.parametrize("answer", ["Which city?", "which city", "Which city? Be brief"])
def test_who_repeats_the_question_says_nothing(answer):
    assert outcome_of(Question("q", "Which city?", ("Paris",), "q"), row(answer)) == "empty"


def test_what_was_cut_off_may_be_right_but_not_wrong():
    question = Question("q", "Which city?", ("Paris",), "q")
    assert outcome_of(question, row("It is Paris, a", finished=False)) == "right"
    assert outcome_of(question, row("It is the", finished=False)) == "unfinished"
