"""How a language model reads pairs: which are packed, and what its decoder is given for them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from halluscope.lm.anatomy import Anatomy, running_device
from halluscope.lm.batching import token_budget_batches
from halluscope.lm.beginning import Beginnings, Passing
from halluscope.lm.layout import by_beginning, rows_of
from halluscope.lm.packing import Windows, pack, packed_options
from halluscope.lm.packing_trial import takes_packed_rows
from halluscope.lm.recording import TokenBatch, collate
from halluscope.lm.tokens import TokenizedPair

ROW_TOKENS = 256
"""Tokens in one row: all attend over all of it, so that longer rows cost more than they save."""
PACKED_TOKENS = 512
"""Most tokens of a pair in a row, unless it shares enough of a beginning: the mask is the row squared."""
_WORTH_A_MASK = 4600
"""Places of a mask that cost as much as reading a token: 1,024 tokens behind a primer of 225 took as long
as both read together (SmolLM2-135M on two cores); the tokens of larger models cost more."""
_WORTHWHILE = 4
"""A beginning is given a pass of its own where that saves this part of a batch, or more."""
_CHANGING_POSITIONS = ("dynamic", "longrope")
"""Kinds of position embedding that turn all positions otherwise from some length on."""


@dataclass(frozen=True)
class Batch:
    """Pairs that are read in one pass.

    Parameters
    ----------
    rows : list of list of int
        Indices of pairs: of those in each packed row, or of a single padded one in each row.
    beginning : tuple of int or None
        Tokens that all pairs share and that packed rows follow on, perhaps none; None if the rows are not
        packed.
    """

    rows: list[list[int]]
    beginning: tuple[int, ...] | None = None

    @property
    def indices(self) -> list[int]:
        """Of its pairs, in the order in which they are read."""
        return [index for row in self.rows for index in row]

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches of half the rows, or of half the pairs of an only one."""
        if len(self.rows) > 1:
            middle = len(self.rows) // 2
            parts = self.rows[:middle], self.rows[middle:]
        else:
            (row,) = self.rows
            middle = len(row) // 2
            parts = [row[:middle]], [row[middle:]]
        return Batch(parts[0], self.beginning), Batch(parts[1], self.beginning)


class Packer:
    """Lays out pairs in rows, and keeps the beginnings that they share.

    To be used by one thread at a time, like the model.

    Parameters
    ----------
    model : PreTrainedModel
    anatomy : Anatomy
        Its parts.
    context_window : int or None
        Tokens that it reads.
    """

    def __init__(self, model: Any, anatomy: Anatomy, context_window: int | None) -> None:
        self._model = model
        self._anatomy = anatomy
        self._context_window = context_window
        self._beginnings = Beginnings(anatomy.decoder)
        self._takes: dict[str | None, bool] = {}

    def plan(self, pairs: Sequence[TokenizedPair], token_budget: int) -> Iterator[Batch]:
        """Batches of all pairs, each pair in one.

        Parameters
        ----------
        pairs : sequence of TokenizedPair
        token_budget : int
            Most tokens of a batch, padding and copies of the beginning included; a pair that is longer is a
            batch by itself.
        """
        packed, apart = self._divide(pairs)
        row_tokens = min(token_budget, ROW_TOKENS)
        packed.sort(key=lambda index: (pairs[index].primer, pairs[index].ids))
        for primer, same in groupby(packed, key=lambda index: pairs[index].primer):
            order = list(same)
            ordered = [pairs[index] for index in order]
            groups = by_beginning(ordered, len(primer), row_tokens, token_budget // _WORTHWHILE)
            for beginning, members in groups.items():
                long = {i for i in members if _stands_alone(ordered[i], len(beginning))}
                apart += [order[i] for i in sorted(long)]
                short = [i for i in members if i not in long]
                rows = list(rows_of(ordered, short, len(beginning), row_tokens))
                lengths = [len(beginning) + tokens for _, tokens in rows]
                for places in token_budget_batches(lengths, token_budget):
                    yield Batch([[order[i] for i in rows[place][0]] for place in places], beginning)
        beyond = [index for index in apart if len(pairs[index].ids) > self._unchanged_positions]
        for members in (sorted(set(apart) - set(beyond)), beyond):
            for places in token_budget_batches([len(pairs[i].ids) for i in members], token_budget):
                yield Batch([[members[place]] for place in places])

    def __call__(
        self, pairs: Sequence[TokenizedPair], batch: Batch, passing: Passing
    ) -> tuple[TokenBatch, dict[str, Any]]:
        """The tokens of a batch of a visit, and arguments of the decoder's forward for it."""
        if batch.beginning is None:
            return collate([pairs[index] for index in batch.indices]), {}
        members = [[pairs[index] for index in row] for row in batch.rows]
        tokens, rows = pack(members, len(batch.beginning))
        device = running_device(self._model.get_input_embeddings())
        primer = members[0][0].primer
        beginning = self._beginnings.of(batch.beginning, passing, primer) if batch.beginning else None
        return tokens, packed_options(rows, beginning, self._windows, self._model.dtype, device)

    def takes_packed_rows(self) -> bool:
        """Whether the model takes packed pairs; tried once for each way to attend."""
        attends = getattr(self._model.config, "_attn_implementation", None)
        if attends not in self._takes:
            self._takes[attends] = takes_packed_rows(
                self._anatomy, self._windows, self._model.dtype, self._context_window
            )
        return self._takes[attends]

    def _divide(self, pairs: Sequence[TokenizedPair]) -> tuple[list[int], list[int]]:
        """Indices of the pairs that are packed, and of those that are not."""
        shares = len(pairs) > 1 or any(pair.primed for pair in pairs)
        if not shares or not self.takes_packed_rows():
            return [], list(range(len(pairs)))
        fits = [len(pair.ids) <= self._unchanged_positions for pair in pairs]
        return [i for i, fit in enumerate(fits) if fit], [i for i, fit in enumerate(fits) if not fit]

    @property
    def _windows(self) -> Windows:
        return Windows.of(self._model.config.get_text_config(decoder=True))

    @cached_property
    def _unchanged_positions(self) -> float:
        """Up to this length a pair's positions do not depend on its company."""
        config = self._model.config.get_text_config(decoder=True)
        rope = getattr(config, "rope_parameters", None) or {}
        nested = [each for each in rope.values() if isinstance(each, dict)] or [rope]
        limits = [
            each.get("original_max_position_embeddings") or config.max_position_embeddings
            for each in nested
            if each.get("rope_type") in _CHANGING_POSITIONS
        ]
        return min(limits, default=math.inf)


def _stands_alone(pair: TokenizedPair, begun: int) -> bool:
    """Whether a pair is too long for a row and shares too little."""
    return len(pair.ids) - begun > max(PACKED_TOKENS, begun, math.isqrt(_WORTH_A_MASK * begun))
