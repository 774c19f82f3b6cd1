"""The one family of exceptions that halluscope raises for what a user can put right.

Every message names the thing that is wrong and the way out. The command line prints it as one line and
ends with status 2.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


class HalluscopeError(Exception):
    """Base of all errors that halluscope raises on purpose. They travel between processes as they are."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own way is to call the class with the message, which not all of these take
        return _remade, (type(self), self.args), self.__dict__


def _remade(kind: type[HalluscopeError], arguments: tuple[Any, ...]) -> HalluscopeError:
    error = kind.__new__(kind)
    error.args = arguments
    return error


class InputError(HalluscopeError, ValueError):
    """A prompt, an answer, a label or a set of pairs that cannot be used as given."""


class RecordError(InputError):
    """A line of a JSON Lines file that is not a valid record.

    Parameters
    ----------
    path : path-like
        The file.
    line : int
        Line number, counted from 1.
    problem : str
        What is wrong, naming the field.
    """

    def __init__(self, path: str | Path, line: int, problem: str) -> None:
        super().__init__(f"{path}, line {line}: {problem}")
        self.path = Path(path)
        self.line = line


class ContextWindowError(InputError):
    """Prompt and answer together are longer than the language model's context window.

    Parameters
    ----------
    length : int
        Tokens of prompt and answer together.
    window : int
        Tokens that the language model can read.
    primer : int
        Tokens that a detector's primer adds.
    """

    def __init__(self, length: int, window: int, primer: int = 0) -> None:
        behind, without = "", ""
        if primer:
            behind = f" and {primer} more with the detector's primer"
            without = " train a detector without a primer (--no-primer, Python: primer=()),"
        super().__init__(
            f"prompt and answer are {length} tokens together{behind}, but the language model reads at most "
            f"{window}: shorten the context or the answer,{without} or use a model with a longer context "
            "window"
        )
        self.length = length
        self.window = window


class ModelError(HalluscopeError):
    """A language model that cannot be found, loaded or recorded."""


class PullError(ModelError):
    """A known language model that could not be brought onto the machine."""


class ActivationError(HalluscopeError):
    """Activations that are not finite; the message names the layer."""


class DetectorError(HalluscopeError):
    """A saved detector that is missing, damaged, of another format or unsafe to load."""


class FingerprintError(DetectorError):
    """A detector that was trained on another language model than the one it is used with."""
