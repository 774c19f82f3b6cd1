"""A beginning that many pairs share: its keys and values are computed once and attended to by all of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from halluscope.lm.anatomy import running_device
from halluscope.lm.weights import state_of_forward, state_of_weights

_LASTING = 2  # primers: one, and that of another detector on the same model
_PASSING = 2**29  # bytes of keys and values: beside the beginning in use, as many as fit


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
    """The beginnings of a decoder that are in use, as long as its weights and hooks stay as they are.

    Parameters
    ----------
    decoder : Module
    """

    def __init__(self, decoder: nn.Module) -> None:
        self._decoder = decoder
        self._state: tuple[Any, ...] = ()
        self._lasting: OrderedDict[tuple[int, ...], Beginning] = OrderedDict()
        self._passing: OrderedDict[tuple[int, ...], Beginning] = OrderedDict()

    def of(self, ids: tuple[int, ...], primer: tuple[int, ...] = ()) -> Beginning:
        """The beginning with these tokens.

        It goes on from the primer or from a longer one of this visit, and from nothing else: what was read
        before must not change it, not even by rounding.

        Parameters
        ----------
        ids : tuple of int
        primer : tuple of int
            First tokens of `ids`, perhaps all; kept beyond `release`.
        """
        state = (state_of_weights(self._decoder), state_of_forward(self._decoder))
        if state != self._state:
            self._lasting.clear()
            self._passing.clear()
            self._state = state
        lasting = self._primed(primer) if primer else None
        if ids == primer and lasting:
            return lasting
        if ids not in self._passing:
            held = (known for known in self._passing if ids[: len(known)] == known)
            longest = max(held, key=len, default=())
            known = self._passing[longest] if len(longest) > len(primer) else lasting
            self._passing[ids] = Beginning(self._decoder, ids, known)
        self._passing.move_to_end(ids)
        while len(self._passing) > 1 and sum(each.size for each in self._passing.values()) > _PASSING:
            self._passing.popitem(last=False)
        return self._passing[ids]

    def release(self) -> None:
        """Forget all but the primers."""
        self._passing.clear()

    def _primed(self, primer: tuple[int, ...]) -> Beginning:
        if primer not in self._lasting:
            self._lasting[primer] = Beginning(self._decoder, primer)
        self._lasting.move_to_end(primer)
        while len(self._lasting) > _LASTING:
            self._lasting.popitem(last=False)
        return self._lasting[primer]
