"""What layers predict at the answer's tokens, read through the final norm and the unembedding.

This is the "logit lens" (nostalgebraist 2020).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

_LEAST_LOGIT = -1e30  # of an emitted token: a model that masks tokens gives them -inf
# Below the largest logit: what is smaller adds nothing to a sum in single precision, -inf would make 0 x inf
# of its share in the entropy, and processors are many times slower on numbers that are nearly zero.
_LEAST_TOLD = -80.0
_LOGITS = 2**24  # held at once: 32 MB in half precision
_FIRST = 64  # states by which the length of a row of logits is found out
_NEAR = 2**19  # of these, how many a processor works on at a time: few enough to stay in its cache

Prediction = tuple[Tensor, Tensor]
"""Log-probability of each emitted token and entropy of the distribution behind it, each (n,), in nats."""


class Unembedding(Protocol):
    """Final norm and unembedding, as `halluscope.lm.anatomy.find_anatomy` finds them."""

    def raw(self, states: Tensor, /) -> Tensor:
        """States (n, d) to logits (n, vocabulary) as the unembedding gives them."""
        ...

    def treated(self, logits: Tensor, /) -> Tensor:
        """Raw logits to those of the model, in float32."""
        ...


class Predictions:
    """The predictions of the layers of one batch, read for many layers together.

    An unembedding reads all its weights, however few states it is given: layers that can wait share it.

    Parameters
    ----------
    unembed : Unembedding
    """

    def __init__(self, unembed: Unembedding) -> None:
        self._unembed = unembed
        self._waiting: dict[int, tuple[Tensor, Tensor]] = {}
        self._read: dict[int, Prediction] = {}

    def ask(self, layer: int, states: Tensor, emitted: Tensor) -> Callable[[], Prediction]:
        """What gives the prediction of a layer when it is called: then all that was asked for is read.

        Parameters
        ----------
        layer : int
        states : Tensor of shape (n, d)
            Where the emitted tokens are predicted.
        emitted : Tensor of shape (n,)
            Their ids.
        """
        if layer not in self._read:
            self._waiting[layer] = states, emitted
        return lambda: self._of(layer)

    def _of(self, layer: int) -> Prediction:
        if layer not in self._read:
            states, emitted = zip(*self._waiting.values(), strict=True)
            device = states[-1].device
            log_probability, entropy = read_predictions(
                self._unembed,
                torch.cat([part.to(device) for part in states]),
                torch.cat([part.to(device) for part in emitted]),
            )
            lengths = [len(part) for part in states]
            parts = zip(log_probability.split(lengths), entropy.split(lengths), strict=True)
            self._read.update(zip(self._waiting, parts, strict=True))
            self._waiting.clear()
        return self._read[layer]


def read_predictions(unembed: Unembedding, states: Tensor, emitted: Tensor) -> Prediction:
    """What states (n, d) predict of the tokens (n,) that were emitted there."""
    log_probability, entropy = [], []
    rows, done = _FIRST, 0
    while done < len(states):
        raw = unembed.raw(states[done : done + rows])
        near = raw.numel() if raw.device.type != "cpu" else _NEAR
        for part in raw.split(max(1, near // raw.shape[-1])):
            ids = emitted[done : done + len(part)].to(part.device)
            done += len(part)
            logits = unembed.treated(part)
            logits -= logits.amax(dim=-1, keepdim=True)
            own = logits.gather(1, ids[:, None])[:, 0].clamp_min(_LEAST_LOGIT)
            odds = logits.clamp_min_(_LEAST_TOLD).exp()
            total = odds.sum(dim=-1)
            log_total = total.log()
            log_probability.append(own - log_total)
            # -sum p ln p = ln Z - sum p logit: one pass over the vocabulary less than through ln p
            entropy.append(log_total - odds.mul_(logits).sum(dim=-1) / total)
        rows = max(1, _LOGITS // raw.shape[-1])
    return torch.cat(log_probability), torch.cat(entropy)
