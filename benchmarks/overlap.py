"""Which answers state what shipped detectors know? ``python -m benchmarks.overlap --data DIR``.

An answer counts if all words of a subject and of a true value of one fact stand in it or in its prompt,
whatever it says of them: an upper bound. Of a file of questions the accepted answers are taken. Writes
``benchmarks/results/overlap.json``.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from benchmarks.questions import read_questions
from halluscope.detector.detection import prompt_text
from halluscope.records import read_records
from models.facts.pairs import domains

RESULTS = Path(__file__).parent / "results" / "overlap.json"
_LITTLE = frozenset(
    (
        *("a", "an", "and", "are", "as", "at", "by", "for", "from", "her", "his", "in", "is", "it", "its"),
        *("of", "on", "or", "that", "the", "their", "this", "to", "was", "were", "with", "your"),
    )
)

Words = frozenset[str]
Known = Mapping[str, list[Words]]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overlap", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled .jsonl files")
    arguments = parser.parse_args()
    known = known_facts()
    shares = {}
    for file in sorted(arguments.data.glob("*.jsonl")):
        name = file.stem.removesuffix(".questions")
        shares[name] = share_stated(texts_of(file), known)
        print(f"{name:<16}{shares[name]:>7.3f}")
    RESULTS.write_text(json.dumps(shares, indent=1) + "\n", encoding="utf-8")


def texts_of(file: Path) -> Iterator[str]:
    """Every prompt of a file with its answer, or with all that are accepted."""
    if file.name.endswith(".questions.jsonl"):
        for question in read_questions(file):
            yield " ".join([question.text, *question.answers])
    else:
        for pair in read_records(file, labelled=True):
            yield f"{prompt_text(pair.prompt)} {pair.answer}"


def known_facts() -> Known:
    """Words of each fact of the shipped detectors' tables, by the longest word of its subject."""
    found: dict[str, list[Words]] = defaultdict(list)
    for domain in domains():
        for kind in domain.kinds:
            for fact in kind.facts:
                subject, value = words_of(fact.subject), words_of(fact.value)
                if subject and value:
                    found[max(sorted(subject), key=len)].append(subject | value)
    return found


def share_stated(texts: Iterable[str], known: Known) -> float:
    """Share of texts in which all words of some fact stand."""
    stated = [
        any(fact <= words for word in words for fact in known.get(word, ())) for words in map(words_of, texts)
    ]
    return sum(stated) / len(stated)


def words_of(text: str) -> Words:
    """The words of a text but for the small ones, in lower case."""
    return frozenset(re.findall(r"[a-z0-9']+", text.lower())) - _LITTLE


if __name__ == "__main__":
    main()
