"""What the fields of a record may hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

from halluscope.errors import InputError

_PANDAS_MISSING = ("NAType", "NaTType")  # neither equals itself nor says so


def is_missing(value: Any) -> bool:
    """Whether a value is None or the number that data frames have for nothing."""
    missing = value is None or (isinstance(value, float) and value != value)
    return missing or type(value).__name__ in _PANDAS_MISSING


def as_text(value: Any, field: str) -> str:
    """A text, or a whole number as one; `InputError` for anything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # numbers beside missing values come out of a data frame as floats
    if isinstance(value, (str, Integral)) and not isinstance(value, bool):
        text = str(value)
        check_text(text, field)
        return text
    raise InputError(f"field '{field}' must be text, not {type(value).__name__}")


def as_bool(value: Any, field: str) -> bool:
    """A label as true or false, whatever type of Python, NumPy or torch it has; else `InputError`."""
    try:
        plain = value.item() if hasattr(value, "item") else value
        if plain in (0, 1):
            return bool(plain)
    except (TypeError, ValueError, RuntimeError):  # an array of several values
        pass
    raise InputError(f"field '{field}' must be true or false, not {value!r}")


def check_text(text: str, field: str) -> None:
    """Raise `InputError` if the text holds half a character."""
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
    check_text(context, "context")


def check_prompt(prompt: Any) -> None:
    """Raise `InputError` unless `prompt` is text, chat messages or token ids."""
    if isinstance(prompt, str):
        check_text(prompt, "prompt")
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
            check_text(message["role"], "prompt")
            _check_content(message["content"], number)
        return
    raise InputError(
        "field 'prompt' must be text, a list of chat messages ({'role': ..., 'content': ...}) or token ids, "
        f"not {_described(prompt)}"
    )


def _check_content(content: Any, number: int) -> None:
    if isinstance(content, str):
        check_text(content, "prompt")
        return
    parts = content if isinstance(content, Sequence) else []
    if not parts or not all(isinstance(p, Mapping) and isinstance(p.get("text"), str) for p in parts):
        raise InputError(f"field 'prompt': chat message {number} has content that is not text")
    for part in parts:
        check_text(part["text"], "prompt")


def check_answer(answer: Any) -> None:
    """Raise `InputError` unless `answer` is text that is not blank, or token ids."""
    if isinstance(answer, str):
        if not answer.strip():
            raise InputError("field 'answer' is empty: there is nothing to judge")
        check_text(answer, "answer")
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
