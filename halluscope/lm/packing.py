"""Many pairs in one row behind a beginning that they share, whose keys and values are computed once.

Nothing is padded, and the beginning is held once and not for every pair: each token attends to the beginning
and to its own pair alone, and counts its position from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from halluscope.lm.beginning import Beginning
from halluscope.lm.recording import TokenBatch
from halluscope.lm.tokens import TokenizedPair

FULL, SLIDING = "full_attention", "sliding_attention"


@dataclass(frozen=True)
class Windows:
    """How far back the blocks of a language model attend.

    Parameters
    ----------
    kinds : frozenset of str
        `FULL`, `SLIDING` or both; other kinds of attention take no packed rows.
    width : int
        Positions that sliding attention reaches back, the token's own among them.
    """

    kinds: frozenset[str]
    width: int = 0

    @classmethod
    def of(cls, config: Any) -> Windows:
        """As a text configuration of transformers has them."""
        width = getattr(config, "sliding_window", None) or 0
        kinds = getattr(config, "layer_types", None) or [SLIDING if width else FULL]
        return cls(frozenset(kinds), int(width))

    def masks(self, beginning: int, lengths: Sequence[int], dtype: torch.dtype) -> Tensor | dict[str, Tensor]:
        """What is added to the attention of packed pairs, shape (1, 1, tokens, beginning + tokens)."""
        pair = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
        position = positions_behind(beginning, lengths)
        reached = torch.cat([torch.arange(beginning), position])
        owner = torch.cat([torch.full((beginning,), -1), pair])
        back = position[:, None] - reached
        seen = ((owner == -1) | (owner == pair[:, None])) & (back >= 0)
        masks = {FULL: seen, SLIDING: seen & (back < self.width)}
        least = torch.finfo(dtype).min
        added = {
            kind: torch.zeros(seen.shape, dtype=dtype).masked_fill(~masks[kind], least)[None, None]
            for kind in self.kinds
        }
        return added if len(added) > 1 else added.popitem()[1]


def positions_behind(beginning: int, lengths: Sequence[int]) -> Tensor:
    """Position of every token of packed pairs, shape (tokens,)."""
    return torch.cat([torch.arange(beginning, beginning + length) for length in lengths])


def pack(pairs: Sequence[TokenizedPair]) -> tuple[TokenBatch, list[int]]:
    """What follows on the beginning of some pairs, in one row.

    Parameters
    ----------
    pairs : sequence of TokenizedPair
        Of one beginning.

    Returns
    -------
    batch : TokenBatch
        Of a single row, without the beginning and without padding.
    lengths : list of int
        Tokens of each pair in it.
    """
    ids: list[int] = []
    positions: list[int] = []
    for pair in pairs:
        shift = len(ids) - pair.primed
        positions.extend(range(shift + pair.start, shift + len(pair.ids)))
        ids.extend(pair.ids[pair.primed :])
    row = torch.tensor([ids])
    batch = TokenBatch(
        row,
        torch.ones_like(row),
        torch.zeros(len(positions), dtype=torch.long),
        torch.tensor(positions),
        tuple(len(pair.tokens) for pair in pairs),
    )
    return batch, [len(pair.ids) - pair.primed for pair in pairs]


def packed_options(
    beginning: Beginning, lengths: Sequence[int], windows: Windows, dtype: torch.dtype, device: torch.device
) -> dict[str, Any]:
    """Arguments of the decoder's forward for a packed row."""
    masks = windows.masks(beginning.length, lengths, dtype)
    return {
        "attention_mask": {kind: mask.to(device) for kind, mask in masks.items()}
        if isinstance(masks, Mapping)
        else masks.to(device),
        "position_ids": positions_behind(beginning.length, lengths)[None].to(device),
        "past_key_values": beginning,
    }
