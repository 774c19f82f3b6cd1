"""Residual states on disk: recorded in one pass, visited again as often as wanted without the model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from halluscope.errors import InputError
from halluscope.files import folder_written_whole
from halluscope.lm.language_model import LanguageModel
from halluscope.lm.prediction import Prediction
from halluscope.lm.recording import LayerState
from halluscope.lm.tokens import TokenizedPair

_TOKENS = 2048  # answer tokens whose states of one layer are held at once
_STATES, _PREDICTIONS, _INDEX = "states.npy", "predictions.npy", "index.json"


class StateSource(Protocol):
    """What shows the layers' states of pairs to a visitor: a language model, or what was stored of one."""

    @property
    def n_layers(self) -> int:
        """Rows of a surface: decoder blocks + 1."""
        ...

    @property
    def hidden_size(self) -> int:
        """Width of the residual stream."""
        ...

    def visit(
        self,
        pairs: Sequence[TokenizedPair],
        visitor: Callable[[list[int]], Callable[[LayerState], None]],
        *,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """As `LanguageModel.visit`."""
        ...


class StoredPredictions:
    """What was read of the layers of one batch when they were recorded.

    Parameters
    ----------
    values : ndarray of shape (2, layers, n)
        Log-probability of the emitted token and entropy; NaN at layers where neither was read.
    """

    def __init__(self, values: npt.NDArray[np.float32]) -> None:
        self._values = torch.from_numpy(values)

    def ask(self, layer: int, read_states: Callable[[], Tensor]) -> Callable[[], Prediction]:
        """As `halluscope.lm.prediction.Predictions.ask`, where it was read.

        Raises
        ------
        InputError
            At a layer where it was not.
        """
        log_probability, entropy = self._values[:, layer]
        if log_probability.isnan().any():
            raise InputError(
                f"the prediction of layer {layer} was not stored: record with a smaller 'lens_every'"
            )
        return lambda: (log_probability, entropy)


class StoredStates:
    """States of the answers' tokens, and of the token before each answer, at every layer, in a folder.

    Parameters
    ----------
    folder : Path
        What `record` wrote.

    Raises
    ------
    InputError
        If there is nothing recorded.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / _INDEX).is_file():
            raise InputError(f"no states are stored in {folder}: record them first")
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        self.folder = folder
        self.name: str = index["model"]
        self._starts = _starts(index["lengths"])
        self._place = {mark: place for place, mark in enumerate(index["pairs"])}
        self._dtype: torch.dtype = getattr(torch, index["dtype"])
        self._states: npt.NDArray[np.generic] = np.load(folder / _STATES, mmap_mode="r")
        self._predictions: npt.NDArray[np.float32] = np.load(folder / _PREDICTIONS, mmap_mode="r")

    @classmethod
    def record(
        cls,
        lm: LanguageModel,
        pairs: Sequence[TokenizedPair],
        folder: Path,
        *,
        lens_every: int | None = 1,
        progress: Callable[[int], None] | None = None,
    ) -> StoredStates:
        """Run pairs through the model and store what it shows; the folder appears whole or not at all.

        Parameters
        ----------
        lm : LanguageModel
        pairs : sequence of TokenizedPair
        folder : Path
            To be made; replaced if it is there.
        lens_every : int or None
            Store the prediction of every so many layers, counted down from the last; None: of the last alone.
        progress : callable, optional
            Called with the number of pairs done after each batch.
        """
        lengths = [len(pair.tokens) for pair in pairs]
        starts = _starts(lengths)
        dtype = lm.model.dtype
        integer = np.dtype(f"i{dtype.itemsize}").type  # numpy has no bfloat16: its bits are kept
        with folder_written_whole(folder) as fresh:
            shape = (lm.n_layers, int(starts[-1]), lm.hidden_size)
            states = np.lib.format.open_memmap(fresh / _STATES, "w+", integer, shape)
            predictions = np.full((2, *shape[:2]), np.nan, dtype=np.float32)

            def visitor(indices: list[int]) -> Callable[[LayerState], None]:
                openings, rows = _rows(starts, indices)
                asked: dict[int, Callable[[], Prediction]] = {}

                def visit(layer: LayerState) -> None:
                    for places, states_there in ((rows, layer.state), (openings, layer.before[layer.firsts])):
                        bits = states_there.to(dtype).cpu().view(getattr(torch, integer.__name__))
                        states[layer.layer, places] = bits.numpy()
                    if layer.on_grid(lens_every):
                        asked[layer.layer] = layer.predict_later()
                    if layer.layer == layer.n_layers - 1:
                        for row, read in asked.items():
                            predictions[:, row, rows] = torch.stack(read()).float().cpu().numpy()

                return visit

            lm.visit(pairs, visitor, progress=progress)
            states.flush()
            np.save(fresh / _PREDICTIONS, predictions)
            index = {
                "model": lm.name,
                "dtype": str(dtype).removeprefix("torch."),
                "lengths": lengths,
                "pairs": [_mark(pair) for pair in pairs],
            }
            (fresh / _INDEX).write_text(json.dumps(index), encoding="utf-8")
        return cls(folder)

    @property
    def n_layers(self) -> int:
        """Rows of a surface: decoder blocks + 1."""
        return int(self._states.shape[0])

    @property
    def hidden_size(self) -> int:
        """Width of the residual stream."""
        return int(self._states.shape[2])

    def visit(
        self,
        pairs: Sequence[TokenizedPair],
        visitor: Callable[[list[int]], Callable[[LayerState], None]],
        *,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Show the stored states to a visitor, as `LanguageModel.visit` does.

        Raises
        ------
        InputError
            For a pair that was not recorded.
        """
        places = [self._place.get(_mark(pair), -1) for pair in pairs]
        if -1 in places:
            raise InputError(f"pair {places.index(-1) + 1} is not among those stored in {self.folder}")
        for indices in _batches([len(pair.tokens) for pair in pairs]):
            visit = visitor(indices)
            _, rows = _rows(self._starts, [places[i] for i in indices])
            lengths = tuple(len(pairs[i].tokens) for i in indices)
            emitted = torch.tensor([token for i in indices for token in pairs[i].ids[pairs[i].start :]])
            predictions = StoredPredictions(self._predictions[:, :, rows])
            previous = None
            for row in range(self.n_layers):
                state = self._read(row, rows)
                visit(
                    LayerState(
                        layer=row,
                        n_layers=self.n_layers,
                        state=state,
                        read_before=partial(self._read, row, rows - 1),
                        previous=previous,
                        emitted=emitted,
                        lengths=lengths,
                        unembed=_no_unembedding,
                        predictions=predictions,
                    )
                )
                previous = state
            if progress is not None:
                progress(len(indices))

    def _read(self, layer: int, rows: npt.NDArray[np.intp]) -> Tensor:
        """Float32 states (n, d)."""
        return torch.from_numpy(self._states[layer, rows]).view(self._dtype).float()


def _starts(lengths: Sequence[int]) -> npt.NDArray[np.intp]:
    """First row of each pair: the token before the answer; then come the answer's own. Last, the end."""
    return np.cumsum([0, *(length + 1 for length in lengths)])


def _rows(
    starts: npt.NDArray[np.intp], pairs: Sequence[int]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows of the tokens before the answers of some pairs, and rows of the answers' tokens."""
    tokens = [np.arange(starts[pair] + 1, starts[pair + 1]) for pair in pairs]
    return starts[list(pairs)], np.concatenate(tokens)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Neighbouring pairs together, up to `_TOKENS` answer tokens or a single pair."""
    batch: list[int] = []
    held = 0
    for index, length in enumerate(lengths):
        if batch and held + length > _TOKENS:
            yield batch
            batch, held = [], 0
        batch.append(index)
        held += length
    if batch:
        yield batch


def _mark(pair: TokenizedPair) -> str:
    """Digest by which a pair is found again."""
    return hashlib.sha256(np.array([pair.start, *pair.ids], dtype=np.int64).tobytes()).hexdigest()


def _no_unembedding(states: Tensor) -> Tensor:
    raise InputError("stored states cannot be unembedded: the language model is not at hand")
