"""What does a language model answer itself? ``python -m benchmarks.on_policy --data DIR --out FOLDER``.

Asks the questions of a folder (``*.questions.jsonl``: ``prompt``, ``answers``, perhaps ``id``, ``group``
and ``topic``) and those of the fact tables behind ``make models`` (corpus "facts"), lets the model answer
greedily and labels its answers by the accepted ones. Writes to FOLDER

- ``CORPUS.jsonl``: labelled answers in the record format, with ``question`` and accepted ``answers`` beside,
  of the wrong ones at most three for each right one;
- ``answers/CORPUS.jsonl``: every answer as it was given, from which a run that was stopped goes on; labels
  are made anew from these each time: a better rule costs no second generation;
- ``answers/to_read.jsonl``: a sample of labelled answers, to be read by hand;
- ``answers/settings.json``: whose answers these are; a folder takes those of one model and setting.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.questions import read_questions
from halluscope import LanguageModel
from halluscope.errors import InputError
from halluscope.evaluation.on_policy import telling_aliases
from halluscope.files import written_whole
from halluscope.lm.catalogue import DEFAULT_MODEL, KNOWN_MODELS
from halluscope.lm.generation import MAX_NEW_TOKENS, TOKEN_BUDGET
from models import asking
from models.asking import Row, answer_questions, lines_of
from models.facts.questions import fact_questions
from models.question import OUTCOMES, RIGHT, WRONG, Question, outcome_of

INSTRUCTION = "{question} Answer in one short sentence."
FACTS = "facts"
ENDING = ".questions.jsonl"
TO_READ = 100
WRONG_PER_RIGHT = 3.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.on_policy", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of .questions.jsonl files")
    parser.add_argument("--out", type=Path, required=True, help="folder for the labelled answers")
    parser.add_argument("--model", default=DEFAULT_MODEL, help=f"language model: {', '.join(KNOWN_MODELS)}")
    parser.add_argument("--limit", type=int, help="most questions of a corpus, drawn at random")
    parser.add_argument("--only", nargs="*", help="names of corpora")
    parser.add_argument(
        "--wrong-per-right",
        type=float,
        default=WRONG_PER_RIGHT,
        help="most wrong answers for each right one in what is labelled, drawn at random",
    )
    options = parser.parse_args(arguments)
    try:
        corpora = read_corpora(options.data)
        for name in set(options.only or ()) - set(corpora):
            raise InputError(f"no corpus '{name}': there are {', '.join(corpora)}")
        lm = LanguageModel.from_pretrained(options.model)
        check_settings(options.out, settings_of(lm))
        chosen = {name: corpora[name] for name in options.only or corpora}
        ask(lm, chosen, options.out, options.limit, options.wrong_per_right)
    except InputError as error:
        raise SystemExit(str(error)) from None


def ask(
    lm: LanguageModel,
    corpora: dict[str, list[Question]],
    out: Path,
    limit: int | None,
    wrong_per_right: float = WRONG_PER_RIGHT,
) -> None:
    """Ask, label, write and count, corpus after corpus."""
    labelled: list[tuple[str, Row]] = []
    print(f"{'corpus':<16}{'asked':>8}" + "".join(f"{outcome:>12}" for outcome in OUTCOMES))
    for name, questions in corpora.items():
        chosen = draw(questions, limit, key=lambda question: question.id)
        prompts = [INSTRUCTION.format(question=question.text) for question in chosen]
        rows = answer_questions(lm, chosen, prompts, out / "answers" / f"{name}.jsonl")
        outcomes = [outcome_of(question, row) for question, row in zip(chosen, rows, strict=True)]
        records = [
            record_of(question, row, outcome)
            for question, row, outcome in zip(chosen, rows, outcomes, strict=True)
            if outcome in (RIGHT, WRONG)
        ]
        write_whole(out / f"{name}.jsonl", thin(records, wrong_per_right))
        labelled += [(name, record) for record in records]
        counts = Counter(outcomes)
        print(
            f"{name:<16}{len(rows):>8}" + "".join(f"{counts[outcome]:>12}" for outcome in OUTCOMES),
            flush=True,
        )
    write_whole(out / "answers" / "to_read.jsonl", sample_to_read(labelled))


def read_corpora(folder: Path) -> dict[str, list[Question]]:
    """The questions of the fact tables and of a folder, by corpus, those that can be labelled.

    Raises
    ------
    InputError
        If a file cannot be used.
    """
    corpora = {FACTS: fact_questions()}
    for path in sorted(folder.glob(f"*{ENDING}")):
        corpora[path.name.removesuffix(ENDING)] = read_questions(path)
    if len(corpora) == 1:
        raise InputError(f"no {ENDING} files in {folder}")
    # a question that names its answer cannot be labelled: who repeats it would be right
    return {
        name: [q for q in questions if telling_aliases(q.text, q.answers)]
        for name, questions in corpora.items()
    }


def draw(items: Iterable[Any], limit: int | None, *, key: Callable[[Any], str], salt: str = "") -> list[Any]:
    """A random part that is always the same, and of which a larger limit draws the rest."""
    order = sorted(items, key=lambda item: hashlib.sha256(f"{salt}{key(item)}".encode()).digest())
    return order[:limit]


def thin(records: Sequence[Row], wrong_per_right: float) -> list[Row]:
    """All right answers and some of the wrong ones, in their order.

    Where a model is hardly ever right, more wrong answers cost time and tell nothing more: what can be said
    about an AUROC hangs on the rarer kind.
    """
    wrong = [record for record in records if record["hallucinated"]]
    most = int(wrong_per_right * (len(records) - len(wrong)))
    kept = {record["id"] for record in draw(wrong, most, key=lambda record: str(record["id"]), salt="thin ")}
    return [record for record in records if not record["hallucinated"] or record["id"] in kept]


def record_of(question: Question, row: Row, outcome: str) -> Row:
    """A labelled answer in the record format."""
    record = {
        "id": question.id,
        "group": question.group,
        "topic": question.topic,
        "prompt": row["prompt"],
        "answer": row["answer"],
        "hallucinated": outcome == WRONG,
        "question": question.text,
        "answers": telling_aliases(question.text, question.answers),
    }
    return {key: value for key, value in record.items() if value is not None}


def sample_to_read(labelled: Sequence[tuple[str, Row]]) -> list[Row]:
    """Some labelled answers of all corpora, the same ones each time."""
    chosen = draw(labelled, TO_READ, key=lambda item: f"{item[0]} {item[1]['id']}", salt="to read ")
    kept = ("id", "question", "answer", "answers", "hallucinated")
    return [{"corpus": name, **{key: record[key] for key in kept}} for name, record in chosen]


def settings_of(lm: LanguageModel) -> Row:
    """What the answers depend on beside the questions."""
    return {
        "model": lm.name,
        "fingerprint": lm.fingerprint,
        "dtype": str(lm.model.dtype),
        "instruction": INSTRUCTION,
        "max_new_tokens": MAX_NEW_TOKENS,
        "token_budget": max(lm.token_budget, TOKEN_BUDGET),
        "chunk": asking.CHUNK,
    }


def check_settings(out: Path, settings: Row) -> None:
    """Set a folder's settings, or raise `InputError` if it has others."""
    path = out / "answers" / "settings.json"
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        other = [key for key in settings if settings[key] != before.get(key)]
        if other:
            raise InputError(f"{out} holds answers of another {' and '.join(other)}: use another folder")
        return
    write_whole(path, [settings])


def write_whole(path: Path, rows: Iterable[Row]) -> None:
    """Write JSON Lines; the file appears whole or not at all."""
    with written_whole(path) as unfinished:
        unfinished.write_bytes(lines_of(rows))


if __name__ == "__main__":
    main()
