"""Pooled residual states: what readings are learned from."""

from __future__ import annotations

import math
import mmap
import os
import tempfile
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from halluscope.detector.shards import Floats, Shards
from halluscope.lm.recording import LayerState
from halluscope.lm.stored import StateSource
from halluscope.lm.tokens import TokenizedPair

POOLINGS = ("mean", "last", "token")
"""Over all answer tokens, at the last one, and at one token of each answer that stands for any."""

_IN_MEMORY = 2**30  # bytes of pooled states; more are kept in a temporary file
_SHARD = 1024  # pairs between two safe points
_WRITTEN = 2**28  # bytes after which their memory is given back


class StatePooler:
    """A visitor for `LanguageModel.visit` that pools each answer's states over its tokens, in the hooks.

    Parameters
    ----------
    source : LanguageModel or StoredStates
        What is visited.
    pairs : sequence of TokenizedPair
        The pairs that will be visited.

    Attributes
    ----------
    states : ndarray of shape (pairs, 3, layers, d)
        Float32, in the order of `POOLINGS`; filled batch by batch. On disk where they are many.
    """

    def __init__(self, source: StateSource, pairs: Sequence[TokenizedPair]) -> None:
        self._sampled = [sampled_token(pair) for pair in pairs]
        # whoever learns from them takes one layer after the other
        by_layer = _new_array((source.n_layers, len(POOLINGS), len(pairs), source.hidden_size))
        self.states = by_layer.transpose(2, 1, 0, 3)
        self._unreleased = 0

    def __call__(self, indices: list[int]) -> Callable[[LayerState], None]:
        """What takes the layers of the batch with these pairs."""

        def visit(layer: LayerState) -> None:
            answers = layer.state.split(layer.lengths)
            mean = torch.stack([answer.mean(dim=0) for answer in answers])
            last = torch.stack([answer[-1] for answer in answers])
            token = torch.stack(
                [answer[self._sampled[i]] for i, answer in zip(indices, answers, strict=True)]
            )
            self.states[indices, :, layer.layer] = torch.stack([mean, last, token], dim=1).cpu().numpy()
            self._unreleased += 4 * mean.numel() * len(POOLINGS)
            if self._unreleased > _WRITTEN:
                release(self.states)
                self._unreleased = 0

        return visit


def release(states: npt.NDArray[np.float32]) -> None:
    """Give back the memory that pooled states on disk have been read or written in; they stay on disk."""
    array: Any = states
    while isinstance(array.base, np.ndarray):
        array = array.base
    if isinstance(array.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        array.base.madvise(mmap.MADV_DONTNEED)


def _new_array(shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    size = 4 * math.prod(shape)
    if size <= _IN_MEMORY:
        return np.empty(shape, dtype=np.float32)
    with tempfile.TemporaryFile(prefix="halluscope-") as file:  # gone with the array, whatever happens
        # a disk that is too small is an error here and now; a file with holes would end the process later
        (os.posix_fallocate if hasattr(os, "posix_fallocate") else _truncate)(file.fileno(), 0, size)
        return np.ndarray(shape, dtype=np.float32, buffer=mmap.mmap(file.fileno(), size))


def _truncate(file: int, start: int, size: int) -> None:
    os.truncate(file, start + size)


def sampled_token(pair: TokenizedPair) -> int:
    """Which token of an answer stands for any: drawn by a checksum of the pair, whatever its batch."""
    return zlib.crc32(np.asarray(pair.ids, dtype=np.int64).tobytes()) % len(pair.tokens)


def pool_states(
    source: StateSource,
    pairs: Sequence[TokenizedPair],
    *,
    shards: Shards | None = None,
    progress: Callable[[int], None] | None = None,
) -> npt.NDArray[np.float32]:
    """Residual states of each answer, pooled over its tokens.

    Parameters
    ----------
    source : LanguageModel or StoredStates
        The model to look into, or what was stored of it.
    pairs : sequence of TokenizedPair
        The answers.
    shards : Shards, optional
        Where finished parts are kept.
    progress : callable, optional
        Called with the number of pairs done after each batch.

    Returns
    -------
    ndarray of shape (pairs, 3, layers, d)
        Float32, in the order of `POOLINGS`. Beyond a gigabyte in a temporary file: see `release`.
    """
    pooler = StatePooler(source, pairs)
    shards, report = shards or Shards(), progress or (lambda done: None)
    for start in range(0, len(pairs), _SHARD):
        part = slice(start, min(start + _SHARD, len(pairs)))
        numbers = range(len(pairs))[part]

        def visited(part: slice = part, numbers: range = numbers) -> Floats:
            source.visit(
                pairs[part], lambda indices: pooler([numbers[i] for i in indices]), progress=progress
            )
            return pooler.states[part]

        pooler.states[part] = shards.get(f"states-{start}", visited, partial(report, len(numbers)))
    return pooler.states
