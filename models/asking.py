"""A language model's own answers to questions, kept as they come."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from halluscope.errors import InputError
from halluscope.lm.generation import generate_answers
from halluscope.lm.language_model import LanguageModel
from halluscope.progress import progress_bar
from models.question import Question

CHUNK = 64
"""Questions between two safe points. Batches are made inside a chunk: a resumed run makes the same ones (one
with a larger limit, of the last chunk, others)."""

Row = dict[str, Any]


def answer_questions(
    lm: LanguageModel, questions: Sequence[Question], prompts: Sequence[str], path: Path
) -> list[Row]:
    """The model's greedy answers, from a file as far as they are in there, and added to it.

    Parameters
    ----------
    lm : LanguageModel
        The model to ask.
    questions : sequence of Question
        What to ask.
    prompts : sequence of str
        How each question is put.
    path : Path
        JSON Lines of what was answered before, in the same order; a torn last line is cut off.

    Returns
    -------
    list of dict
        One for each question: ``id``, ``prompt``, ``answer`` (text), ``finished``.

    Raises
    ------
    InputError
        If the file holds answers to other questions.
    """
    rows = kept_rows(path)[: len(questions)]
    for row, question, prompt in zip(rows, questions, prompts, strict=False):
        if (row["id"], row["prompt"]) != (question.id, prompt):
            raise InputError(f"{path} holds answers to other questions: remove it, or use another folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    rest = iter(range(len(rows), len(questions)))
    with progress_bar(f"Asking {path.stem}", len(questions)) as advance:
        advance(len(rows))
        while chunk := list(islice(rest, CHUNK - len(rows) % CHUNK)):
            answers = generate_answers(lm, [prompts[i] for i in chunk], progress=advance)
            new = [
                {
                    "id": questions[i].id,
                    "prompt": prompts[i],
                    "answer": answer.text.strip(),
                    "finished": answer.finished,
                }
                for i, answer in zip(chunk, answers, strict=True)
            ]
            with path.open("ab") as file:
                file.write(lines_of(new))
                file.flush()
                os.fsync(file.fileno())
            rows += new
    return rows


def kept_rows(path: Path) -> list[Row]:
    """What a file of answers holds, without a last line that was torn when the writing was stopped."""
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        os.truncate(path, len(whole))
    return [json.loads(line) for line in whole.splitlines()]


def lines_of(rows: Iterable[Row]) -> bytes:
    """Rows as JSON Lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
