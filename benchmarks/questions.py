"""Files of questions with accepted answers."""

from __future__ import annotations

import json
from pathlib import Path

from halluscope.errors import RecordError
from models.question import Question


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
