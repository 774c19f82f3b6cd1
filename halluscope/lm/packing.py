"""Many pairs in one row: what they have in common is there once.

Pairs that begin alike are laid out as a tree of tokens. Each token attends to the way that leads to it,
counts its position along that way, and is thus read as in its pair alone. Rows may follow on a beginning
whose keys and values are computed already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from halluscope.lm.beginning import Beginning
from halluscope.lm.layout import count_shared
from halluscope.lm.recording import TokenBatch
from halluscope.lm.tokens import TokenizedPair

FULL, SLIDING = "full_attention", "sliding_attention"

Places = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Row:
    """Some sequences as a tree of tokens.

    Parameters
    ----------
    ids : list of int
        Of every token, behind the beginning that all sequences share.
    positions : ndarray of shape (tokens,)
        Of every token in its sequences, the beginning included.
    ways : list of ndarray
        For each sequence, where its tokens stand in the row.
    seen : ndarray of bool, shape (tokens, tokens)
        Which tokens each one attends to.
    """

    ids: list[int]
    positions: Places
    ways: list[Places]
    seen: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, sequences: Sequence[Sequence[int]], begun: int) -> Row:
        """Lay out sequences.

        Parameters
        ----------
        sequences : sequence of token ids
            Sorted: those that begin alike stand together.
        begun : int
            How many first tokens all of them share, and which are not laid out.
        """
        ids: list[int] = []
        positions: list[int] = []
        ways: list[Places] = []
        for previous, sequence in zip([(), *sequences], sequences, strict=False):
            shared = count_shared(previous, sequence, begun) if ways else begun
            new = np.arange(len(ids), len(ids) + len(sequence) - shared)
            ids.extend(sequence[shared:])
            positions.extend(range(shared, len(sequence)))
            ways.append(np.concatenate([ways[-1][: shared - begun], new]) if ways else new)
        seen = np.zeros((len(ids), len(ids)), dtype=bool)
        for way in ways:
            seen[way[:, None], way] = np.tri(len(way), dtype=bool)
        return cls(ids, np.array(positions, dtype=np.intp), ways, seen)


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

    def masks(
        self, seen: Tensor, positions: Tensor, begun: int, dtype: torch.dtype
    ) -> Tensor | dict[str, Tensor]:
        """What is added to the attention of packed rows, shape (rows, 1, tokens, begun + tokens).

        Parameters
        ----------
        seen : Tensor of bool, shape (rows, tokens, tokens)
            Which tokens each one attends to.
        positions : Tensor of shape (rows, tokens)
        begun : int
            Tokens of the beginning that the rows follow on, all of which are seen.
        dtype : torch.dtype
            Of the mask.
        """
        seen = torch.cat([seen.new_ones((*positions.shape, begun)), seen], dim=2)
        masks = {FULL: seen}
        if SLIDING in self.kinds:
            reached = torch.cat([torch.arange(begun).expand(len(positions), -1), positions], dim=1)
            masks[SLIDING] = seen & (positions[:, :, None] - reached[:, None] < self.width)
        least = torch.finfo(dtype).min
        added = {
            kind: torch.zeros(seen.shape, dtype=dtype).masked_fill(~masks[kind], least)[:, None]
            for kind in self.kinds
        }
        return added if len(added) > 1 else added.popitem()[1]


def pack(pairs: Sequence[Sequence[TokenizedPair]], begun: int) -> tuple[TokenBatch, list[Row]]:
    """Lay out some rows of pairs behind what all of them share.

    Parameters
    ----------
    pairs : sequence of sequence of TokenizedPair
        Of each row, sorted by their ids.
    begun : int
        How many first tokens all pairs share; every answer begins later.

    Returns
    -------
    batch : TokenBatch
        Without the beginning.
    rows : list of Row
    """
    rows = [Row.of([pair.ids for pair in members], begun) for members in pairs]
    ids = torch.zeros((len(rows), max(len(row.ids) for row in rows)), dtype=torch.long)
    numbers, positions, before = [], [], []
    for number, (row, members) in enumerate(zip(rows, pairs, strict=True)):
        ids[number, : len(row.ids)] = torch.tensor(row.ids)
        for pair, way in zip(members, row.ways, strict=True):
            first = pair.start - begun
            positions.append(way[first:])
            before.append(way[first - 1 : -1])
            numbers.append(np.full(len(way) - first, number))
    batch = TokenBatch(
        ids=ids,
        mask=torch.ones_like(ids),
        rows=torch.from_numpy(np.concatenate(numbers)),
        positions=torch.from_numpy(np.concatenate(positions)),
        before=torch.from_numpy(np.concatenate(before)),
        lengths=tuple(len(pair.tokens) for members in pairs for pair in members),
    )
    return batch, rows


def packed_options(
    rows: Sequence[Row],
    beginning: Beginning | None,
    windows: Windows,
    dtype: torch.dtype,
    device: torch.device,
) -> dict[str, Any]:
    """Arguments of the decoder's forward for packed rows."""
    length = max(len(row.ids) for row in rows)
    # what fills up a short row attends to itself: a token that sees nothing would be undefined
    seen = torch.eye(length, dtype=torch.bool).repeat(len(rows), 1, 1)
    positions = torch.zeros((len(rows), length), dtype=torch.long)
    for number, row in enumerate(rows):
        n = len(row.ids)
        seen[number, :n, :n] = torch.from_numpy(row.seen)
        positions[number, :n] = torch.from_numpy(row.positions)
    masks = windows.masks(seen, positions, beginning.length if beginning else 0, dtype)
    options: dict[str, Any] = {
        "attention_mask": {kind: mask.to(device) for kind, mask in masks.items()}
        if isinstance(masks, dict)
        else masks.to(device),
        "position_ids": positions.to(device),
    }
    if beginning:
        options["past_key_values"] = beginning
    return options
