"""Many pairs in one row behind a beginning that they share, whose keys and values are computed once.

Nothing is padded, and the beginning is held once and not for every pair: each token attends to the beginning
and to its own pair alone, and counts its position from there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from halluscope.lm.anatomy import Anatomy, running_device
from halluscope.lm.recording import TokenBatch, residual_hooks, run_decoder
from halluscope.lm.tokens import TokenizedPair

FULL, SLIDING = "full_attention", "sliding_attention"
_HELD = 2  # beginnings: one, and that of another detector on the same model
_AGREEMENT = 0.999  # least cosine of states that differ by rounding alone; a wrong mask leaves them far apart


class Beginning(DynamicCache):
    """Keys and values of a beginning, to be attended to and never added to.

    Parameters
    ----------
    decoder : Module
    ids : sequence of int
        Tokens of the beginning.
    """

    def __init__(self, decoder: nn.Module, ids: Sequence[int]) -> None:
        super().__init__()
        device = running_device(decoder.get_input_embeddings())  # type: ignore[operator]
        growing = DynamicCache()
        with torch.inference_mode():
            decoder(
                input_ids=torch.tensor([list(ids)], device=device), past_key_values=growing, use_cache=True
            )
        self.layers = growing.layers
        self.layer_class_to_replicate = None
        self.length = len(ids)

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Keys and values of the beginning with those behind it, which are not kept."""
        layer: Any = self.layers[layer_idx]
        return torch.cat([layer.keys, key_states], dim=-2), torch.cat([layer.values, value_states], dim=-2)


class Beginnings:
    """The beginnings of a decoder that were used last, as long as its weights stay as they are.

    Parameters
    ----------
    decoder : Module
    """

    def __init__(self, decoder: nn.Module) -> None:
        self._decoder = decoder
        self._weights: tuple[Any, ...] = ()
        self._held: OrderedDict[tuple[int, ...], Beginning] = OrderedDict()

    def of(self, ids: tuple[int, ...]) -> Beginning:
        """The beginning with these tokens."""
        weights = self._state_of_weights()
        if weights != self._weights:
            self._held.clear()
            self._weights = weights
        if ids not in self._held:
            self._held[ids] = Beginning(self._decoder, ids)
        self._held.move_to_end(ids)
        while len(self._held) > _HELD:
            self._held.popitem(last=False)
        return self._held[ids]

    def _state_of_weights(self) -> tuple[Any, ...]:
        """Changes when weights are trained, loaded or moved."""
        weights = list(self._decoder.parameters())
        version = sum(weight._version for weight in weights if not weight.is_inference())
        return (version, *((weight.data_ptr(), weight.dtype) for weight in weights[:1]))


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


def takes_packed_rows(anatomy: Anatomy, windows: Windows, dtype: torch.dtype) -> bool:
    """Whether a decoder gives packed pairs the states that it gives them one by one: tried on a few tokens.

    Architectures that keep another memory than keys and values, or that reckon positions in their own way,
    do not; what they say to it differs too much to be listed.
    """
    if windows.kinds - {FULL, SLIDING}:
        return False
    first, *others = (1, 2, 3), (4, 5, 6), (6, 5)
    try:
        device = running_device(anatomy.decoder.get_input_embeddings())  # type: ignore[operator]
        beginning = Beginning(anatomy.decoder, first)
        row = torch.tensor([[index for ids in others for index in ids]])
        options = packed_options(beginning, [len(ids) for ids in others], windows, dtype, device)
        packed = _last_states(anatomy, row, **options)
        alone = torch.cat(
            [_last_states(anatomy, torch.tensor([[*first, *ids]]))[len(first) :] for ids in others]
        )
    except Exception:
        return False
    return bool((torch.cosine_similarity(packed, alone) > _AGREEMENT).all())


def _last_states(anatomy: Anatomy, ids: Tensor, **options: Any) -> Tensor:
    """Float32 output (tokens, d) of the last block for a single row."""
    kept: dict[int, Tensor] = {}
    nothing = torch.empty(0, dtype=torch.long)
    batch = TokenBatch(ids, torch.ones_like(ids), nothing, nothing, ())
    with torch.inference_mode(), residual_hooks(anatomy, lambda row, hidden: kept.update({row: hidden})):
        run_decoder(anatomy.decoder, batch, **options)
    return kept[len(anatomy.blocks)][0].float().cpu()
