"""Questions with accepted answers, and the files that hold them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from halluscope.errors import RecordError


@dataclass(frozen=True)
class Question:
    """A question and what answers it.

    Parameters
    ----------
    id : str
        Its name, unique in its corpus.
    text : str
        What is asked.
    answers : tuple of str
        Accepted answers.
    group : str
        What must not be split between folds.
    topic : str, optional
        The kind of question.
    doubtful : tuple of str
        Answers neither right nor plainly wrong.
    """

    id: str
    text: str
    answers: tuple[str, ...]
    group: str
    topic: str | None = None
    doubtful: tuple[str, ...] = ()


def read_questions(path: Path) -> list[Question]:
    """The questions of one file.

    Raises
    ------
    RecordError
        Naming the line and the field of the first that is not valid.
    """
    questions: dict[str, Question] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise RecordError(path, number, f"not valid JSON: {error.msg}") from None
        text, answers = (
            (record.get("prompt"), record.get("answers")) if isinstance(record, dict) else ("", [])
        )
        if not isinstance(text, str) or not text.strip():
            raise RecordError(path, number, "field 'prompt' must be text")
        if not isinstance(answers, list) or not answers or not all(isinstance(a, str) for a in answers):
            raise RecordError(path, number, "field 'answers' must be a list of texts")
        name = str(record.get("id", number))
        if name in questions:
            raise RecordError(path, number, f"field 'id': there is a question '{name}' already")
        group, topic = record.get("group", name), record.get("topic")
        questions[name] = Question(
            name, text, tuple(answers), str(group), None if topic is None else str(topic)
        )
    return list(questions.values())
