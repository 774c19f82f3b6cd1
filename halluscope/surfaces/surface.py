"""The surface: activity over layers and answer tokens, one sheet for each channel."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from halluscope.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DAMAGED = (BadZipFile, zlib.error)  # what numpy lets through of a broken archive


@dataclass(frozen=True, eq=False, repr=False)
class Surface:
    """Activity at every layer and every token of an answer. Immutable.

    Parameters
    ----------
    values : ndarray of shape (channels, layers, tokens)
        Activity, stored as read-only float32. Layer row 0 is the embedding output, row l the output of
        decoder block l, the last row before the final norm.
    channels : sequence of str
        The name of each activity measure, e.g. ``"norm"``.
    tokens : sequence of str
        The text that each answer token covers.
    offsets : sequence of (int, int)
        Start and end of each token as character positions in `answer`.
    answer : str
        The text the tokens were made from.

    Raises
    ------
    InputError
        If the shapes do not agree.
    """

    values: npt.NDArray[np.float32]
    channels: tuple[str, ...]
    tokens: tuple[str, ...]
    offsets: tuple[tuple[int, int], ...]
    answer: str = ""

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float32)
        if values.ndim != 3:
            raise InputError(f"a surface has 3 axes (channels, layers, tokens), not {values.ndim}")
        if len(set(self.channels)) != len(self.channels):
            raise InputError(f"every channel needs a name of its own, not {', '.join(self.channels)}")
        if values.shape[0] != len(self.channels):
            raise InputError(f"{values.shape[0]} sheets of values but {len(self.channels)} channel names")
        if not values.shape[2] == len(self.tokens) == len(self.offsets):
            raise InputError(
                f"{values.shape[2]} columns of values, {len(self.tokens)} tokens and {len(self.offsets)} "
                "offsets: there must be one of each per token"
            )
        values.flags.writeable = False
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "channels", tuple(self.channels))
        object.__setattr__(self, "tokens", tuple(self.tokens))
        object.__setattr__(self, "offsets", tuple((int(a), int(b)) for a, b in self.offsets))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, layers, tokens)."""
        channels, layers, tokens = self.values.shape
        return channels, layers, tokens

    def __getitem__(self, channel: str) -> npt.NDArray[np.float32]:
        """The (layers, tokens) sheet of one channel, by name."""
        try:
            return self.values[self.channels.index(channel)]
        except ValueError:
            raise KeyError(f"no channel {channel!r}; there are {', '.join(self.channels)}") from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Surface):
            return NotImplemented
        return (
            self.channels == other.channels
            and self.tokens == other.tokens
            and self.offsets == other.offsets
            and self.answer == other.answer
            and np.array_equal(self.values, other.values, equal_nan=True)
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # built anew: numpy hands out a writeable array when it reads a pickle
        return Surface, (self.values, self.channels, self.tokens, self.offsets, self.answer)

    def __repr__(self) -> str:
        channels, layers, tokens = self.shape
        text = self.answer if len(self.answer) <= 40 else self.answer[:37] + "..."
        size = f"{channels} channels x {layers} layers x {tokens} tokens"
        return f"Surface({size}: {', '.join(self.channels)}; {text!r})"

    def select(self, start: int, stop: int) -> Surface:
        """The part of the surface over tokens ``start`` to ``stop`` (exclusive), offsets unchanged."""
        return Surface(
            self.values[:, :, start:stop],
            self.channels,
            self.tokens[start:stop],
            self.offsets[start:stop],
            self.answer,
        )

    def save(self, path: str | Path) -> Path:
        """Write the surface as ``.npz`` without pickles; returns the path written to."""
        path = Path(path)
        if path.suffix != ".npz":
            path = path.with_name(path.name + ".npz")
        text = json.dumps(
            {"channels": self.channels, "tokens": self.tokens, "offsets": self.offsets, "answer": self.answer}
        )
        np.savez_compressed(
            path, values=self.values, text=np.frombuffer(text.encode("utf-8"), dtype=np.uint8)
        )
        return path

    @classmethod
    def load(cls, path: str | Path) -> Surface:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            If there is no such file or it does not hold a surface.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                text = json.loads(file["text"].tobytes().decode("utf-8"))
                return cls(file["values"], text["channels"], text["tokens"], text["offsets"], text["answer"])
        except FileNotFoundError:
            raise InputError(f"no such file: {path}") from None
        except (OSError, LookupError, ValueError, TypeError, AttributeError, EOFError, *_DAMAGED) as error:
            raise InputError(f"{path} does not hold a surface: {error}") from error

    def plot(self, channel: str | None = None, title: str = "") -> Figure:
        """Draw one channel as a 3-D landscape.

        Parameters
        ----------
        channel : str, optional
            The channel to draw; ``reading`` if there is one, else the first.
        title : str
            Text above the landscape.

        Returns
        -------
        matplotlib.figure.Figure
            The caller's to change, show or save; not registered with pyplot.
        """
        from halluscope.explain.landscape import draw_landscapes  # a door to a later stage: see CONTRIBUTING

        return draw_landscapes([self], titles=[title], channel=channel)
