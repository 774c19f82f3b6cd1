"""Questions with accepted answers, and what becomes of a language model's answers to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from halluscope.evaluation.on_policy import (
    contains_alias,
    is_refusal,
    label_answer,
    normalise,
    telling_aliases,
)

RIGHT, WRONG = "right", "wrong"
REFUSED, EMPTY, DOUBTFUL, UNFINISHED = "refused", "empty", "doubtful", "unfinished"
OUTCOMES = (RIGHT, WRONG, REFUSED, EMPTY, DOUBTFUL, UNFINISHED)


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


def outcome_of(question: Question, row: Mapping[str, Any]) -> str:
    """One of `OUTCOMES`.

    Who repeats the question has said nothing, and what an answer that was cut off would have named, nobody
    knows.
    """
    if normalise(row["answer"]) in (normalise(question.text), normalise(row["prompt"])):
        return EMPTY
    answers = telling_aliases(question.text, question.answers)
    label = label_answer(row["answer"], answers)
    if label is None:
        return REFUSED if is_refusal(row["answer"]) else EMPTY
    if label and contains_alias(row["answer"], telling_aliases(question.text, question.doubtful)):
        return DOUBTFUL
    if label and not row["finished"]:
        return UNFINISHED
    return WRONG if label else RIGHT
