"""The settings of a detector that can be wrong, and what they must be."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

from halluscope.errors import InputError


def _is_exchange(value: object) -> bool:
    """Whether a value is a question with its answer, both not blank."""
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and all(isinstance(text, str) and bool(text.strip()) for text in value)
    )


_RULES: dict[str, tuple[type, Callable[[Any], bool], str]] = {
    "folds": (Integral, lambda v: v >= 2, "a whole number of at least 2"),
    "ridge": (Real, lambda v: 0 < v < math.inf, "a number above 0"),
    "strength": (Real, lambda v: 0 < v < math.inf, "a number above 0"),
    "threshold": (Real, lambda v: 0 <= v <= 1, "a number between 0 and 1"),
    "prior": (bool, lambda v: True, "True or False"),
    "primer": (tuple, lambda v: all(map(_is_exchange, v)), "a tuple of (question, answer) pairs of texts"),
    "seed": (Integral, lambda v: 0 <= v < 2**32, "a whole number from 0 to 2**32 - 1"),
}

SETTINGS = tuple(_RULES)
"""Parameters of `Detector` that are saved with it."""


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse settings that cannot be.

    Raises
    ------
    InputError
        Naming the parameter, what it must be and what it is.
    """
    for name, (kind, right, wanted) in _RULES.items():
        value = settings.get(name)
        if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool) or not right(value):
            raise InputError(f"parameter '{name}' must be {wanted}, not {value!r}")
