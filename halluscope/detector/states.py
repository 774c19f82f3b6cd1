"""Pooled residual states: what readings are learned from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from halluscope.lm.language_model import LanguageModel
from halluscope.lm.recording import LayerState
from halluscope.lm.tokens import TokenizedPair

POOLINGS = ("mean", "last")
"""Over all answer tokens, and at the last one."""


class StatePooler:
    """A visitor for `LanguageModel.visit` that pools each answer's states over its tokens, in the hooks.

    Parameters
    ----------
    lm : LanguageModel
        The model that is visited.
    n_pairs : int
        Pairs that will be visited.

    Attributes
    ----------
    states : ndarray of shape (pairs, 2, layers, d)
        Float32, in the order of `POOLINGS`; filled batch by batch.
    """

    def __init__(self, lm: LanguageModel, n_pairs: int) -> None:
        self.states = np.empty((n_pairs, len(POOLINGS), lm.n_layers, lm.hidden_size), dtype=np.float32)

    def __call__(self, indices: list[int]) -> Callable[[LayerState], None]:
        """What takes the layers of the batch with these pairs."""

        def visit(layer: LayerState) -> None:
            answers = layer.state.split(layer.lengths)
            mean = torch.stack([answer.mean(dim=0) for answer in answers])
            last = torch.stack([answer[-1] for answer in answers])
            self.states[indices, :, layer.layer] = torch.stack([mean, last], dim=1).cpu().numpy()

        return visit


def pool_states(
    lm: LanguageModel,
    pairs: Sequence[TokenizedPair],
    *,
    progress: Callable[[int], None] | None = None,
) -> npt.NDArray[np.float32]:
    """Residual states of each answer, pooled over its tokens.

    Parameters
    ----------
    lm : LanguageModel
        The model to look into.
    pairs : sequence of TokenizedPair
        The answers.
    progress : callable, optional
        Called with the number of pairs done after each batch.

    Returns
    -------
    ndarray of shape (pairs, 2, layers, d)
        Float32, in the order of `POOLINGS`.
    """
    pooler = StatePooler(lm, len(pairs))
    lm.visit(pairs, pooler, progress=progress)
    return pooler.states
