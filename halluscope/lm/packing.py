"""Many pairs in one row behind a beginning that they share, whose keys and values are computed once.

Nothing is padded, and the beginning is held once and not for every pair: each token attends to the beginning
and to its own pair alone, and counts its position from there.
"""

from __future__ import annotations

import threading
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
_SAMPLED = 12  # weights of which a value is looked at
_HELD = 2  # beginnings: one, and that of another detector on the same model
_TRIED = 512  # tokens by which a decoder is tried: enough to show most windows and tables of positions
# largest distance of a state from itself that is rounding, in units of its distance from the mean state
_ROUNDING, _COARSE_ROUNDING = 1e-4, 0.25
_OUTLIERS = 0.01  # share of states that rounding moves further

KNOWN_TO_PACK = frozenset(
    (
        *("cohere", "gemma2", "gemma3_text", "gpt2", "gpt_neox", "granite", "llama", "mistral", "mixtral"),
        *("olmo2", "opt", "phi3", "qwen2", "qwen3", "qwen3_moe"),
    )
)
"""Types of models that take packed rows, as the tests show; others are tried when they are first used."""


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
        """Changes when weights are trained, loaded, moved or merged, and when adapters are switched."""
        weights = [*self._decoder.parameters(), *self._decoder.buffers()]
        versions = tuple(
            (weight.data_ptr(), weight.dtype, -1 if weight.is_inference() else weight._version)
            for weight in weights
        )
        # what writes into the data itself leaves no version behind, but changes the first block's weights
        sample = tuple(float(weight.flatten()[0]) for weight in weights[:_SAMPLED] if not weight.is_meta)
        adapters = tuple(
            (module._disable_adapters, str(getattr(module, "active_adapters", "")))
            for module in self._decoder.modules()
            if "_disable_adapters" in module.__dict__
        )
        return (versions, sample, adapters)


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


def takes_packed_rows(
    anatomy: Anatomy, windows: Windows, dtype: torch.dtype, ids: tuple[int, ...], context_window: int | None
) -> bool:
    """Whether a decoder gives packed pairs the states that it gives them one by one: tried on a full row.

    Architectures that keep another memory than keys and values, or that reckon positions in their own way,
    do not; what they say to it differs too much to be listed. Not tried where the tests have.

    Parameters
    ----------
    anatomy, windows, dtype
        Of the language model.
    ids : tuple of int
        Of the beginning.
    context_window : int or None
        Tokens that the language model reads.
    """
    decoder: Any = anatomy.decoder
    # other kernels take the mask for one of real tokens, and read beside their memory
    implementation = getattr(decoder.config, "_attn_implementation", None)
    if windows.kinds - {FULL, SLIDING} or implementation not in (None, "eager", "sdpa"):
        return False
    if decoder.config.model_type in KNOWN_TO_PACK:
        return True
    others = _others(decoder, len(ids), context_window)
    lengths = [len(other) for other in others]
    try:
        device = running_device(decoder.get_input_embeddings())
        row = torch.tensor([[index for other in others for index in other]])
        options = packed_options(Beginning(decoder, ids), lengths, windows, dtype, device)
        packed = _states(anatomy, row, **options)
        rows = [torch.tensor([[*ids, *other]]) for other in others]
        alone = torch.cat([_states(anatomy, row)[:, len(ids) :] for row in rows], dim=1)
    except torch.OutOfMemoryError:
        raise
    except Exception:  # code of any architecture, asked for what it may not be made for
        return False
    apart = (packed - alone).norm(dim=-1)
    spread = (alone - alone.mean(dim=1, keepdim=True)).norm(dim=-1).clamp_min(1e-6)
    most = _ROUNDING if torch.finfo(dtype).bits >= 32 else _COARSE_ROUNDING
    return bool((apart > most * spread).float().mean() <= _OUTLIERS)


def _others(decoder: nn.Module, beginning: int, context_window: int | None) -> list[list[int]]:
    """Tokens of some pairs of unequal lengths, spread over the vocabulary."""
    vocabulary = decoder.get_input_embeddings().weight.shape[0]  # type: ignore[operator]
    longest = _TRIED // 2 if context_window is None else min(_TRIED // 2, context_window - beginning)
    lengths = [longest, *([max(1, longest // 3)] * 2), 2]
    ids = iter(range(sum(lengths)))
    return [[next(ids) * 7919 % vocabulary for _ in range(length)] for length in lengths]


def _states(anatomy: Anatomy, ids: Tensor, **options: Any) -> Tensor:
    """Float32 output (layers, tokens, d) of every block for a single row."""
    kept: dict[int, Tensor] = {}
    nothing = torch.empty(0, dtype=torch.long)
    batch = TokenBatch(ids, torch.ones_like(ids), nothing, nothing, ())
    recorder = threading.get_ident()

    def keep(row: int, hidden: Tensor) -> None:
        if threading.get_ident() == recorder:  # the model may be at work in another thread too
            kept[row] = hidden[0].float().cpu()

    with torch.inference_mode(), residual_hooks(anatomy, keep):
        run_decoder(anatomy.decoder, batch, **options)
    return torch.stack([kept[row] for row in range(len(anatomy.blocks) + 1)])
