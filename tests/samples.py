"""Labelled pairs on which a detector of a random model can learn something, and some on which it cannot."""

import random

_TRUE = ["a river", "a city", "an island", "a lake", "a mountain"]
_FALSE = ["XQZ 77", "QXQ 19", "ZZX 40", "XXQ 55", "QZZ 83"]


def labelled_records(n_questions, *, seed=0):
    """Two answers to each question, a true and an invented one, made of different words."""
    chooser = random.Random(seed)  # noqa: S311
    records = []
    for number in range(n_questions):
        for label, words in ((False, _TRUE), (True, _FALSE)):
            records.append(
                {
                    "prompt": f"What is place {number}?",
                    "answer": f"It is {chooser.choice(words)}, {chooser.choice(words)}.",
                    "hallucinated": label,
                    "id": f"{number}-{int(label)}",
                    "topic": "places",
                }
            )
    return records


def chance_records(n_questions, *, seed=0):
    """As many answers of each kind, whose labels have nothing to do with what they say."""
    chooser = random.Random(seed)  # noqa: S311
    records = labelled_records(n_questions, seed=seed)
    for first, second in zip(records[::2], records[1::2], strict=True):
        if chooser.random() < 0.5:
            first["hallucinated"], second["hallucinated"] = True, False
    return records
