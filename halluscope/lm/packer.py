"""Which pairs of a language model are packed, and what its decoder is given for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from halluscope.lm.anatomy import Anatomy, running_device
from halluscope.lm.beginning import Beginnings
from halluscope.lm.packing import Windows, pack, packed_options
from halluscope.lm.packing_trial import takes_packed_rows
from halluscope.lm.recording import TokenBatch
from halluscope.lm.tokens import TokenizedPair

ROW_TOKENS = 256
"""Tokens in one row: all attend over all of it, so that longer rows cost more than they save."""
PACKED_TOKENS = 512
"""Most tokens of a pair that is packed; a long one fills a row by itself."""


class Packer:
    """Lays out primed pairs in rows, and keeps what they share.

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

    def by_beginning(self, pairs: Sequence[TokenizedPair]) -> list[tuple[tuple[int, ...], list[int]]]:
        """Indices of the pairs by the primer that they are packed behind; nothing where they are not.

        That depends on the pair alone: its company does not change how it is read. The mask of a very long
        pair would take more memory than the beginning is worth.
        """
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, pair in enumerate(pairs):
            beginning = pair.ids[: pair.primed]
            if len(pair.ids) - pair.primed > PACKED_TOKENS or len(pair.ids) > self._unscaled_positions:
                beginning = ()
            groups.setdefault(beginning, []).append(index)
        apart = groups.setdefault((), [])
        for beginning in [beginning for beginning in groups if beginning and not self.takes(beginning)]:
            apart += groups.pop(beginning)
        return [(beginning, members) for beginning, members in groups.items() if members]

    def __call__(
        self, pairs: Sequence[TokenizedPair], beginning: tuple[int, ...]
    ) -> tuple[TokenBatch, dict[str, Any]]:
        """A row of pairs behind their beginning, and the arguments of the decoder's forward for it."""
        batch, lengths = pack(pairs)
        device = running_device(self._model.get_input_embeddings())
        held = self._beginnings.of(beginning)
        return batch, packed_options(held, lengths, self._windows, self._model.dtype, device)

    def takes(self, beginning: tuple[int, ...]) -> bool:
        """Whether the model takes pairs packed behind a beginning; tried once for each way to attend."""
        attends = getattr(self._model.config, "_attn_implementation", None)
        if attends not in self._takes:
            self._takes[attends] = takes_packed_rows(
                self._anatomy, self._windows, self._model.dtype, beginning, self._context_window
            )
        return self._takes[attends]

    @property
    def _windows(self) -> Windows:
        return Windows.of(self._model.config.get_text_config(decoder=True))

    @cached_property
    def _unscaled_positions(self) -> float:
        """From this length on some models turn their positions otherwise, also those of a beginning."""
        rope = getattr(self._model.config.get_text_config(decoder=True), "rope_parameters", None) or {}
        nested = [each for each in rope.values() if isinstance(each, dict)] or [rope]
        limits = [each.get("original_max_position_embeddings") for each in nested]
        return min((limit for limit in limits if limit), default=math.inf)
