"""Pairs of prompt and answer, in memory and as JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from numbers import Integral
from pathlib import Path
from typing import Any, TypeAlias

from halluscope.errors import InputError, RecordError

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
    prompt, answer = record["prompt"], record["answer"]
    check_prompt(prompt)
    check_answer(answer)
    scored = _is_scored(record)
    label = record.get("label" if scored else "hallucinated")
    if _is_missing(label):
        label = None
    elif not isinstance(label, bool):
        label = _as_bool(label)
    texts = {}
    for field in _OPTIONAL_TEXTS:
        value = record.get(field)
        texts[field] = None if _is_missing(value) else _as_text(value, field)
    held = {"prompt", "answer", "hallucinated", *_SCORES} | ({"label"} if scored else set())
    # a number as an id, an empty topic: these are given back as they came, not as the text they are read as
    held |= {name for name, text in texts.items() if text is not None and text is record.get(name)}
    other = {name: value for name, value in record.items() if name not in held}
    return Pair(prompt=prompt, answer=answer, hallucinated=label, where=where, other=other, **texts)


def _is_scored(record: Mapping[str, Any]) -> bool:
    """Whether this is what `halluscope.scoring` wrote: "hallucinated" is a verdict there, never a label."""
    return all(name in record for name in _SCORES)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _as_text(value: Any, field: str) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # numbers beside missing values come out of a data frame as floats
    if isinstance(value, (str, Integral)) and not isinstance(value, bool):
        text = str(value)
        _check_text(text, field)
        return text
    raise InputError(f"field '{field}' must be text, not {type(value).__name__}")


def _as_bool(value: Any) -> bool:
    if hasattr(value, "item"):
        value = value.item()
    if value in (0, 1):
        return bool(value)
    raise InputError(f"field 'hallucinated' must be true or false, not {value!r}")


def _check_text(text: str, field: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:  # JSON can write half a character: "\\ud83d"
        raise InputError(
            f"field '{field}' holds half a character (a lone surrogate) at position {error.start}"
        ) from None


def check_context(context: Any) -> None:
    """Raise `InputError` unless `context` is text or None."""
    if context is None:
        return
    if not isinstance(context, str):
        raise InputError(f"field 'context' must be text, not {type(context).__name__}")
    _check_text(context, "context")


def check_prompt(prompt: Any) -> None:
    """Raise `InputError` unless `prompt` is text, chat messages or token ids."""
    if isinstance(prompt, str):
        _check_text(prompt, "prompt")
        return
    if is_token_ids(prompt):
        return
    if isinstance(prompt, Sequence) and prompt and all(isinstance(m, Mapping) for m in prompt):
        for number, message in enumerate(prompt, start=1):
            for key in ("role", "content"):
                if key not in message:
                    raise InputError(f"field 'prompt': chat message {number} has no '{key}'")
            if not isinstance(message["role"], str):
                raise InputError(f"field 'prompt': chat message {number} has a role that is not text")
            _check_text(message["role"], "prompt")
            _check_content(message["content"], number)
        return
    raise InputError(
        "field 'prompt' must be text, a list of chat messages ({'role': ..., 'content': ...}) or token ids, "
        f"not {_described(prompt)}"
    )


def _check_content(content: Any, number: int) -> None:
    if isinstance(content, str):
        _check_text(content, "prompt")
        return
    parts = content if isinstance(content, Sequence) else []
    if not parts or not all(isinstance(p, Mapping) and isinstance(p.get("text"), str) for p in parts):
        raise InputError(f"field 'prompt': chat message {number} has content that is not text")
    for part in parts:
        _check_text(part["text"], "prompt")


def check_answer(answer: Any) -> None:
    """Raise `InputError` unless `answer` is text that is not blank, or token ids."""
    if isinstance(answer, str):
        if not answer.strip():
            raise InputError("field 'answer' is empty: there is nothing to judge")
        _check_text(answer, "answer")
    elif not is_token_ids(answer):
        raise InputError(f"field 'answer' must be text or a flat list of token ids, not {_described(answer)}")


def _described(value: Any) -> str:
    empty = isinstance(value, Sequence) and not value
    return f"{'an empty ' if empty else ''}{type(value).__name__}"


def is_token_ids(value: Any) -> bool:
    """Whether `value` is a non-empty one-dimensional sequence of integers (list, array or tensor)."""
    if isinstance(value, (str, bytes, Mapping)):
        return False
    if hasattr(value, "tolist"):
        value = value.tolist()
    return (
        isinstance(value, Sequence)
        and len(value) > 0
        and all(isinstance(i, Integral) and not isinstance(i, bool) for i in value)
    )


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
    try:
        if isinstance(item, Mapping):
            return _pair_from_mapping(item, where)
        if not isinstance(item, (str, bytes)) and len(item) == 2:
            return _pair_from_mapping({"prompt": item[0], "answer": item[1]}, where)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    except TypeError:
        pass
    raise InputError(f"{where} is neither a mapping with prompt and answer nor a (prompt, answer) tuple")


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
            if not line.strip():
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
