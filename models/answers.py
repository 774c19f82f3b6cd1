"""What does a language model itself say about the facts? ``python -m models.answers``.

Asks it about the facts of the tables in the words of users, and keeps what it answers in
``models/facts/answers/NAME.jsonl``: a run that was stopped goes on. Prints how many answers are right.

A detector that has only seen true and false answers of other people's making takes whatever its language
model says for true: its own mistakes are as fluent as the rest.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from halluscope import LanguageModel
from halluscope.errors import InputError
from halluscope.evaluation.on_policy import normalise, telling_aliases
from halluscope.lm.catalogue import DEFAULT_MODEL
from halluscope.records import Pair, as_pairs
from models.asking import answer_questions, kept_rows
from models.facts.pairs import domains, group_of_entities
from models.facts.questions import fact_questions
from models.facts.split import HELD_OUT_KINDS, is_trained_on, unknown_kinds
from models.question import RIGHT, WRONG, Question, outcome_of

MODELS = Path(__file__).parent
ANSWERS = MODELS / "facts" / "answers"
FORMS = ("{question}", "{question} Answer in one short sentence.", "{question} Answer briefly.")
MOST_QUESTIONS = 300  # of a kind
LONGEST = 2  # words of a general answer: longer ones can be put otherwise, and would be labelled wrong


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m models.answers", description=__doc__)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="known name of the language model")
    name = parser.parse_args(arguments).model
    questions = own_questions(unknown_kinds(name))
    lm = LanguageModel.from_pretrained(name)
    try:
        rows = answer_questions(lm, questions, list(map(put, questions)), ANSWERS / f"{name}.jsonl")
    except InputError as error:
        raise SystemExit(str(error)) from None
    kinds = kind_topics()
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for question, row in zip(questions, rows, strict=True):
        counts[kinds[str(question.topic)]][outcome_of(question, row)] += 1
    for kind, found in sorted(counts.items()):
        print(f"{kind:<22}" + ", ".join(f"{outcome} {n}" for outcome, n in found.most_common()))


def own_questions(unknown: Iterable[str]) -> list[Question]:
    """Questions about the kinds of fact that are trained on, and about those that are held out.

    Of general knowledge those whose true answers have a name of one or two words.

    Parameters
    ----------
    unknown : iterable of str
        Kinds that are not trained on, see `models.facts.split.unknown_kinds`.

    Returns
    -------
    list of Question
        At most `MOST_QUESTIONS` of a kind, kind after kind.
    """
    unknown = set(unknown)
    topics = kind_topics()
    of_kind: dict[str, list[Question]] = defaultdict(list)
    for question in fact_questions():
        topic = topics[str(question.topic)]
        wanted = topic in HELD_OUT_KINDS or is_trained_on(topic, unknown)
        general = topic != question.topic
        short = all(len(normalise(answer).split()) <= LONGEST for answer in question.answers)
        # a question that names its answer cannot be labelled: who repeats it would be right
        if wanted and (short or not general) and telling_aliases(question.text, question.answers):
            of_kind[topic].append(question)
    return [
        question
        for _, asked in sorted(of_kind.items())
        for question in sorted(asked, key=lambda q: _draw(q.id))[:MOST_QUESTIONS]
    ]


def was_asked(model: str) -> bool:
    """Whether ``python -m models.answers`` has asked a language model."""
    return (ANSWERS / f"{model}.jsonl").exists()


def own_pairs(model: str, seed: int = 0) -> list[Pair]:
    """A language model's own answers, labelled; as many right as wrong ones of each kind.

    Otherwise what is asked would tell whether the answer is right. Refusals, empty, doubtful and unfinished
    answers are left out.

    Parameters
    ----------
    model : str
        Known name of a language model that `was_asked`.
    seed : int, default 0
        Of the groups: an entity is in the same group as in `models.facts.build_pairs`.

    Returns
    -------
    list of Pair
        Their topic is the kind of fact.
    """
    groups, topics = group_of_entities(seed), kind_topics()
    of_kind: dict[str, list[dict[str, Any]]] = defaultdict(list)
    asked = {question.id: question for question in fact_questions()}
    for row in kept_rows(ANSWERS / f"{model}.jsonl"):
        question = asked[row["id"]]
        outcome = outcome_of(question, row)
        if row["finished"] and outcome in (RIGHT, WRONG):
            topic = topics[str(question.topic)]
            of_kind[topic].append(
                {
                    "id": f"own-{question.id}",
                    "group": groups[question.group],
                    "topic": topic,
                    "prompt": row["prompt"],
                    "answer": row["answer"],
                    "hallucinated": outcome == WRONG,
                }
            )
    return as_pairs([record for _, records in sorted(of_kind.items()) for record in _balanced(records)])


def put(question: Question) -> str:
    """How a question is put to the model: each in one of `FORMS`."""
    return FORMS[_draw(f"form {question.id}") % len(FORMS)].format(question=question.text)


def kind_topics() -> dict[str, str]:
    """The topic of each kind of fact, by its name."""
    return {kind.name: kind.topic for domain in domains() for kind in domain.kinds}


def _balanced(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    drawn = sorted(records, key=lambda record: _draw(str(record["id"])))
    labels = [[r for r in drawn if r["hallucinated"] is label] for label in (False, True)]
    fewest = min(map(len, labels))
    return [record for labelled in labels for record in labelled[:fewest]]


def _draw(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest(), 16)


if __name__ == "__main__":
    main()
