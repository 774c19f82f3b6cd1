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
_WAITING = 2**26  # bytes of states that wait to be read
_LOGITS = 2**24  # held at once: 32 MB in half precision
_FIRST = 64  # states by which the length of a row of logits is found out
_NEAR = 2**19  # logits that a processor works on at a time: few enough to stay in its cache

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


class Oracle(Protocol):
    """What gives the predictions of the layers of one batch."""

    def ask(self, layer: int, read_states: Callable[[], Tensor]) -> Callable[[], Prediction]:
        """As `Predictions.ask`."""
        ...


class Predictions:
    """The predictions of the layers of one batch, read for many layers together.

    An unembedding reads all its weights, however few states it is given: layers that can wait share it.

    Parameters
    ----------
    unembed : Unembedding
    emitted : Tensor of shape (n,)
        Ids of the tokens that are predicted.
    places : Tensor of shape (n,)
        A number for where each of them is predicted. Answers that begin alike share their first places, and
        what is predicted there is read once.
    """

    def __init__(self, unembed: Unembedding, emitted: Tensor, places: Tensor) -> None:
        self._unembed = unembed
        self._emitted = emitted
        found, self._state_of = places.unique(return_inverse=True)
        self._chosen = torch.empty_like(found)
        self._chosen[self._state_of] = torch.arange(len(places), device=places.device)
        self._waiting: dict[int, Tensor] = {}
        self._read: dict[int, Prediction] = {}

    def ask(self, layer: int, read_states: Callable[[], Tensor]) -> Callable[[], Prediction]:
        """What gives the prediction of a layer when it is called: then all that was asked for is read.

        Parameters
        ----------
        layer : int
        read_states : callable
            Gives the states (n, d) where the emitted tokens are predicted; called at once if it is.
        """
        if layer not in self._read and layer not in self._waiting:
            states = read_states()
            self._waiting[layer] = states[self._chosen.to(states.device)]
            if sum(waiting.nbytes for waiting in self._waiting.values()) > _WAITING:
                self._of(layer)
        return lambda: self._of(layer)

    @torch.inference_mode()
    def _of(self, layer: int) -> Prediction:
        if layer not in self._read:
            waiting, size = list(self._waiting), len(self._chosen)
            device = self._waiting[waiting[-1]].device
            states = torch.cat([states.to(device) for states in self._waiting.values()])
            state_of = torch.cat([self._state_of + size * number for number in range(len(waiting))])
            emitted = self._emitted.repeat(len(waiting))
            read = read_predictions(self._unembed, states, state_of, emitted)
            parts = zip(*(values.split(len(self._emitted)) for values in read), strict=True)
            self._read.update(zip(waiting, parts, strict=True))
            self._waiting.clear()
        return self._read[layer]


def read_predictions(unembed: Unembedding, states: Tensor, state_of: Tensor, emitted: Tensor) -> Prediction:
    """What states predict of the tokens that were emitted there.

    Parameters
    ----------
    unembed : Unembedding
    states : Tensor of shape (states, d)
    state_of : Tensor of shape (n,)
        Which state predicts each token; every state predicts at least one.
    emitted : Tensor of shape (n,)
        Ids of the tokens.
    """
    order = state_of.argsort()
    numbers = torch.arange(len(states) + 1, device=state_of.device)
    ends = torch.searchsorted(state_of[order], numbers).tolist()
    told, log_totals, entropies = [], [], []
    rows, done = _FIRST, 0
    while done < len(states):
        raw = unembed.raw(states[done : done + rows])
        near = raw.numel() if raw.device.type != "cpu" else _NEAR
        for part in raw.split(max(1, near // raw.shape[-1])):
            tokens = order[ends[done] : ends[done + len(part)]]
            places = (state_of[tokens] - done).to(part.device), emitted[tokens].to(part.device)
            logits = unembed.treated(part)
            logits -= logits.amax(dim=-1, keepdim=True)
            told.append(logits[places].clamp_min(_LEAST_LOGIT))
            odds = logits.clamp_min_(_LEAST_TOLD).exp()
            total = odds.sum(dim=-1)
            log_totals.append(total.log())
            # -sum p ln p = ln Z - sum p logit: one pass over the vocabulary less than through ln p
            entropies.append(log_totals[-1] - odds.mul_(logits).sum(dim=-1) / total)
            done += len(part)
        rows = max(1, _LOGITS // raw.shape[-1])
    of_tokens = torch.cat(told)
    log_probability = torch.empty_like(of_tokens)
    log_probability[order.to(of_tokens.device)] = of_tokens
    state_of = state_of.to(of_tokens.device)
    return log_probability - torch.cat(log_totals)[state_of], torch.cat(entropies)[state_of]
