from halluscope.lm.generation import generate_answers
from models.asking import answer_questions, kept_rows
from models.question import Question

QUESTIONS = [Question(f"capital-{i}", f"What is {i}?", ("zzz",), f"country-{i}", "capital") for i in range(4)]
PROMPTS = [f"{question.text} Be brief." for question in QUESTIONS]


def test_answers_are_those_of_the_model(lm, tmp_path):
    rows = answer_questions(lm, QUESTIONS, PROMPTS, tmp_path / "facts.jsonl")
    assert rows == kept_rows(tmp_path / "facts.jsonl")
    assert [r["id"] for r in rows] == [question.id for question in QUESTIONS]
    (answer,) = generate_answers(lm, [rows[0]["prompt"]])
    assert rows[0]["answer"] == answer.text.strip()
