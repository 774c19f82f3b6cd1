"""Pooled residual states: what readings are learned from."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from halluscope.lm.recording import LayerState
from halluscope.lm.stored import StateSource
from halluscope.lm.tokens import TokenizedPair

POOLINGS = ("mean", "last", "token")
"""Over all answer tokens, at the last one, and at one token of each answer that stands for any."""


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
        Float32, in the order of `POOLINGS`; filled batch by batch.
    """

    def __init__(self, source: StateSource, pairs: Sequence[TokenizedPair]) -> None:
        self._sampled = [sampled_token(pair) for pair in pairs]
        self.states = np.empty(
            (len(pairs), len(POOLINGS), source.n_layers, source.hidden_size), dtype=np.float32
        )

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

        return visit


def sampled_token(pair: TokenizedPair) -> int:
    """Which token of an answer stands for any: drawn by a checksum of the pair, whatever its batch."""
    return zlib.crc32(np.asarray(pair.ids, dtype=np.int64).tobytes()) % len(pair.tokens)


def pool_states(
    source: StateSource,
    pairs: Sequence[TokenizedPair],
    *,
    progress: Callable[[int], None] | None = None,
) -> npt.NDArray[np.float32]:
    """Residual states of each answer, pooled over its tokens.

    Parameters
    ----------
    source : LanguageModel or StoredStates
        The model to look into, or what was stored of it.
    pairs : sequence of TokenizedPair
        The answers.
    progress : callable, optional
        Called with the number of pairs done after each batch.

    Returns
    -------
    ndarray of shape (pairs, 3, layers, d)
        Float32, in the order of `POOLINGS`.
    """
    pooler = StatePooler(source, pairs)
    source.visit(pairs, pooler, progress=progress)
    return pooler.states
