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


class Passing:
    """The beginnings that one visit has read: no other one, of another thread perhaps, goes on from them."""

    def __init__(self) -> None:
        self.held: OrderedDict[tuple[int, ...], Beginning] = OrderedDict()
        self.state: tuple[Any, ...] = ()


class Beginnings:
    """The beginnings of a decoder, as long as its weights and hooks stay as they are. Primers are kept.

    Parameters
    ----------
    decoder : Module
    """

    def __init__(self, decoder: nn.Module) -> None:
        self._decoder = decoder
        self._state: tuple[Any, ...] = ()
        self._lasting: OrderedDict[tuple[int, ...], Beginning] = OrderedDict()

    def of(self, ids: tuple[int, ...], passing: Passing, primer: tuple[int, ...] = ()) -> Beginning:
        """The beginning with these tokens.

        It goes on from the primer or from a longer one of this visit, and from nothing else: what was read
        before must not change it, not even by rounding.

        Parameters
        ----------
        ids : tuple of int
        passing : Passing
            What this visit has read; gets what is read now.
        primer : tuple of int
            First tokens of `ids`, perhaps all; kept for later visits.
        """
        state = (state_of_weights(self._decoder), state_of_forward(self._decoder))
        if state != self._state:
            self._lasting.clear()
            self._state = state
        if state != passing.state:
            passing.held.clear()
            passing.state = state
        lasting = self._primed(primer) if primer else None
        if ids == primer and lasting:
            return lasting
        held = passing.held
        if ids not in held:
            shared = (known for known in held if ids[: len(known)] == known)
            longest = max(shared, key=len, default=())
            known = held[longest] if len(longest) > len(primer) else lasting
            held[ids] = Beginning(self._decoder, ids, known)
        held.move_to_end(ids)
        while len(held) > 1 and sum(each.size for each in held.values()) > _PASSING:
            held.popitem(last=False)
        return held[ids]

    def _primed(self, primer: tuple[int, ...]) -> Beginning:
        if primer not in self._lasting:
            self._lasting[primer] = Beginning(self._decoder, primer)
        self._lasting.move_to_end(primer)
        while len(self._lasting) > _LASTING:
            self._lasting.popitem(last=False)
        return self._lasting[primer]
