"""Pairs of prompt and answer, in memory and as JSON Lines."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import Any, TypeAlias

from halluscope.errors import InputError, RecordError
from halluscope.fields import as_bool, as_text, check_answer, check_prompt, is_missing, is_token_ids

Prompt: TypeAlias = "str | Sequence[Mapping[str, Any]] | Sequence[int]"
"""Text, chat messages, or the token ids that a model was really given."""

Answer: TypeAlias = "str | Sequence[int]"
"""Text, or the token ids that a model really emitted."""


_NOWHERE = "pair"


@dataclass(frozen=True)
class Pair:
    """One prompt with one answer, and what is known about them.

    Parameters
    ----------
    prompt : str, chat messages or token ids
        What the model was asked; empty text for a bare statement.
    answer : str or token ids
        What it answered.
    hallucinated : bool, optional
        True if the answer is false or unsupported.
    group : str, optional
        The question or entity that must not be split between folds; the prompt if not given, or of a bare
        statement the context or the statement.
    id, topic, context : str, optional
        A name for the pair, its subject, and reference text placed in the prompt.
    where : str
        Where the pair came from, for messages: "pairs.jsonl, line 3" or "pair 3".
    other : mapping
        Fields of the record that mean nothing here, or that are no text and read as one (a number as `id`),
        for scored records to give back as they were.
    """

    prompt: Prompt
    answer: Answer
    hallucinated: bool | None = None
    group: str | None = None
    id: str | None = None
    topic: str | None = None
    context: str | None = None
    where: str = _NOWHERE
    other: Mapping[str, Any] = dataclass_field(default_factory=dict, compare=False, repr=False)

    @property
    def fold_group(self) -> str:
        """`group`; where none is given the prompt, or of a bare statement the context or the statement."""
        if self.group is not None:
            return self.group
        prompt = _identity(self.prompt)
        return prompt if prompt.strip() else self.context or _identity(self.answer)

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two pairs the same pair: prompt, answer and context."""
        return _identity(self.prompt), _identity(self.answer), self.context or ""


def _identity(value: Prompt | Answer) -> str:
    return value if isinstance(value, str) else json.dumps(_plain(value), sort_keys=True, default=str)


def _plain(value: Any) -> Any:
    """The value in JSON's own types; token ids may come as an array or a tensor."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return [dict(item) if isinstance(item, Mapping) else int(item) for item in value]


_OPTIONAL_TEXTS = ("group", "id", "topic", "context")
_SCORES = ("probability", "threshold")


def _pair_from_mapping(record: Mapping[str, Any], where: str) -> Pair:
    for field in ("prompt", "answer"):
        if field not in record:
            raise InputError(f"field '{field}' is missing")
    prompt, answer = _as_messages(record["prompt"]), record["answer"]
    check_prompt(prompt)
    check_answer(answer)
    scored = _is_scored(record)
    field = "label" if scored else "hallucinated"
    label = record.get(field)
    if is_missing(label):
        label = None
    elif not isinstance(label, bool):
        label = as_bool(label, field)
    texts = {}
    for field in _OPTIONAL_TEXTS:
        value = record.get(field)
        texts[field] = None if is_missing(value) else as_text(value, field)
    held = {"prompt", "answer", "hallucinated", *_SCORES} | ({"label"} if scored else set())
    # a number as an id, an empty topic: these are given back as they came, not as the text they are read as
    held |= {name for name, text in texts.items() if text is not None and text is record.get(name)}
    other = {name: value for name, value in record.items() if name not in held}
    return Pair(prompt=prompt, answer=answer, hallucinated=label, where=where, other=other, **texts)


def _as_messages(prompt: Any) -> Any:
    """Chat messages as a list where they come as an array, as from a Parquet file; anything else as it is."""
    if hasattr(prompt, "tolist") and not is_token_ids(prompt):
        return prompt.tolist()
    return prompt


def _is_scored(record: Mapping[str, Any]) -> bool:
    """Whether this is what `halluscope.scoring` wrote: "hallucinated" is a verdict there, never a label."""
    return all(name in record for name in _SCORES)


def as_pairs(pairs: Any) -> list[Pair]:
    """Bring what users have into a list of `Pair`.

    Parameters
    ----------
    pairs : iterable
        Of `Pair`, of mappings with at least ``prompt`` and ``answer``, or of ``(prompt, answer)`` tuples;
        or a pandas data frame with such columns.

    Returns
    -------
    list of Pair

    Raises
    ------
    InputError
        Naming the pair (counted from 1) and the field.
    """
    if hasattr(pairs, "to_dict") and hasattr(pairs, "columns"):
        # every kind of missing value that pandas knows becomes None
        pairs = pairs.astype(object).where(pairs.notna(), None).to_dict("records")
    if isinstance(pairs, (str, bytes, Mapping)) or not isinstance(pairs, Iterable):
        raise InputError(
            "pairs must be a list of {'prompt': ..., 'answer': ...} or (prompt, answer), "
            f"not {type(pairs).__name__}"
        )
    return [_as_pair(item, f"pair {number}") for number, item in enumerate(pairs, start=1)]


def _as_pair(item: Any, where: str) -> Pair:
    if isinstance(item, Pair):
        return item if item.where != _NOWHERE else replace(item, where=where)
    if hasattr(item, "to_dict"):  # a row of a data frame
        item = item.to_dict()
    if isinstance(item, (tuple, list)) or hasattr(item, "tolist"):
        item = dict(zip(("prompt", "answer"), item, strict=True)) if len(item) == 2 else None
    if not isinstance(item, Mapping):
        raise InputError(f"{where} is neither a mapping with prompt and answer nor a (prompt, answer) tuple")
    try:
        return _pair_from_mapping(item, where)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def read_records(path: str | Path, *, labelled: bool = False) -> Iterator[Pair]:
    """Stream the pairs of a JSON Lines file.

    Parameters
    ----------
    path : path-like
        UTF-8 text, one JSON object a line; empty lines are skipped.
    labelled : bool
        Demand the field ``hallucinated``.

    Yields
    ------
    Pair

    Raises
    ------
    InputError
        If there is no such file.
    RecordError
        Naming file, line and field of the first record that is not valid.
    """
    path = Path(path)
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    with file:
        for number, line in enumerate(file, start=1):
            if not (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).strip():
                continue
            pair = parse_line(line, path, number)
            if labelled and pair.hallucinated is None:
                raise RecordError(
                    path,
                    number,
                    "field 'hallucinated' (true or false) is missing; in scored records, which have a "
                    "'probability', that is the verdict, and 'label' is what was known before",
                )
            yield pair


def parse_line(line: bytes, path: str | Path, number: int) -> Pair:
    """The pair in a line of a JSON Lines file; `RecordError` if there is none."""
    try:
        record = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError as error:
        raise RecordError(path, number, f"not UTF-8 text (byte {error.start + 1} of the line)") from None
    except json.JSONDecodeError as error:
        raise RecordError(path, number, f"not valid JSON: {error.msg} (column {error.colno})") from None
    except RecursionError:
        raise RecordError(path, number, "not valid JSON: nested too deeply") from None
    except ValueError:  # Python reads no integer of more than 4300 digits
        raise RecordError(path, number, "not valid JSON: a number is too long") from None
    if not isinstance(record, dict):
        raise RecordError(path, number, f"a record must be a JSON object, not {type(record).__name__}")
    try:
        return _pair_from_mapping(record, f"{path}, line {number}")
    except InputError as error:
        raise RecordError(path, number, str(error)) from None
