"""A beginning that many pairs share: its keys and values are computed once and attended to by all of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from halluscope.lm.anatomy import running_device

_SAMPLED = 12  # weights of which a value is looked at
_HELD = 2**29  # bytes of keys and values: beside the beginning in use, as many as fit


class Beginning(DynamicCache):
    """Keys and values of a beginning, to be attended to and never added to.

    Parameters
    ----------
    decoder : Module
    ids : sequence of int
        Tokens of the beginning.
    known : Beginning, optional
        Of the first of these tokens, which are then not read again.
    """

    def __init__(self, decoder: nn.Module, ids: Sequence[int], known: Beginning | None = None) -> None:
        super().__init__()
        device = running_device(decoder.get_input_embeddings())  # type: ignore[operator]
        growing = DynamicCache()
        for number, (keys, values) in enumerate(known.tensors if known else ()):
            growing.update(keys, values, number)
        rest = list(ids[known.length :] if known else ids)
        with torch.inference_mode():
            decoder(input_ids=torch.tensor([rest], device=device), past_key_values=growing, use_cache=True)
        self.layers = growing.layers
        self.layer_class_to_replicate = None
        self.length: int = len(ids)

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Keys and values of the beginning with those behind it, which are not kept."""
        layer: Any = self.layers[layer_idx]
        rows = len(key_states)
        return (
            torch.cat([layer.keys.expand(rows, -1, -1, -1), key_states], dim=-2),
            torch.cat([layer.values.expand(rows, -1, -1, -1), value_states], dim=-2),
        )

    @property
    def tensors(self) -> list[tuple[Tensor, Tensor]]:
        """Keys and values of each block, both (1, heads, length, width)."""
        layers: list[Any] = self.layers
        return [(layer.keys, layer.values) for layer in layers]

    @property
    def size(self) -> int:
        """Bytes of keys and values."""
        return sum(keys.nbytes + values.nbytes for keys, values in self.tensors)


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
            known = max((held for held in self._held if ids[: len(held)] == held), key=len, default=None)
            if known is not None:
                self._held.move_to_end(known)
            self._held[ids] = Beginning(self._decoder, ids, self._held[known] if known else None)
        self._held.move_to_end(ids)
        while len(self._held) > 1 and sum(beginning.size for beginning in self._held.values()) > _HELD:
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
        sample = tuple(
            weight.detach().flatten()[0].item() for weight in weights[:_SAMPLED] if not weight.is_meta
        )
        adapters = tuple(
            (module._disable_adapters, str(getattr(module, "active_adapters", "")))
            for module in self._decoder.modules()
            if "_disable_adapters" in module.__dict__
        )
        return (versions, sample, adapters)
