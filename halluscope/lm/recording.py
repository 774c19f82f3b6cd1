"""Recording the residual stream with hooks, reduced where it arises.

A `visit` callable sees one `LayerState` after another while the forward pass runs and keeps what it wants of
it, so that the hidden states of all tokens at all layers are never held at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from halluscope.errors import ActivationError, ModelError
from halluscope.lm.anatomy import Anatomy, running_device
from halluscope.lm.prediction import Oracle, Prediction, Predictions, Unembedding
from halluscope.lm.tokens import TokenizedPair


@dataclass(frozen=True)
class TokenBatch:
    """Token ids of several pairs, padded or packed, and where their answers stand.

    Parameters
    ----------
    ids, mask : Tensor of shape (rows, length)
        Token ids and 1 for real tokens, 0 for padding; packed rows come with masks of their own.
    rows, positions, before : Tensor of shape (answer tokens of all pairs,)
        Row and place in it of every answer token, pair after pair, and place of the token before it.
    lengths : tuple of int
        Answer tokens of each pair.
    """

    ids: Tensor
    mask: Tensor
    rows: Tensor
    positions: Tensor
    before: Tensor
    lengths: tuple[int, ...]


def collate(pairs: Sequence[TokenizedPair]) -> TokenBatch:
    """Pad tokenised pairs to one length, on the right.

    Padding is masked, so any id will do; 0 is one that every model has, which a padding token that was added
    to the tokenizer alone is not.
    """
    width = max(len(pair.ids) for pair in pairs)
    ids = torch.zeros((len(pairs), width), dtype=torch.long)
    mask = torch.zeros((len(pairs), width), dtype=torch.long)
    rows: list[int] = []
    positions: list[int] = []
    for row, pair in enumerate(pairs):
        ids[row, : len(pair.ids)] = torch.tensor(pair.ids)
        mask[row, : len(pair.ids)] = 1
        rows.extend([row] * len(pair.tokens))
        positions.extend(range(pair.start, len(pair.ids)))
    places = torch.tensor(positions)
    lengths = tuple(len(pair.tokens) for pair in pairs)
    return TokenBatch(ids, mask, torch.tensor(rows), places, places - 1, lengths)


@dataclass(frozen=True, eq=False)
class LayerState:
    """The residual stream of one layer at the answer's tokens, as a visitor sees it.

    Parameters
    ----------
    layer : int
        Row of the surface: 0 for the embedding output, l for the output of block l.
    n_layers : int
        Rows of the surface: blocks + 1.
    state : Tensor of shape (n, d)
        Float32 state at each answer token, pairs one after the other.
    read_before : callable
        Gives `before`.
    previous : Tensor of shape (n, d) or None
        `state` of the layer below; None in row 0.
    emitted : Tensor of shape (n,)
        Ids of the answer's tokens.
    lengths : tuple of int
        Answer tokens of each pair; they sum to n.
    unembed : callable
        States (k, d) to logits (k, vocabulary).
    predictions : Oracle
        Gives the predictions of the layers of this batch.
    """

    layer: int
    n_layers: int
    state: Tensor
    read_before: Callable[[], Tensor]
    previous: Tensor | None
    emitted: Tensor
    lengths: tuple[int, ...]
    unembed: Callable[[Tensor], Tensor]
    predictions: Oracle

    @cached_property
    def before(self) -> Tensor:
        """Float32 states (n, d) of the same layer one position earlier, where the tokens are predicted."""
        return self.read_before()

    @cached_property
    def norm(self) -> Tensor:
        """Length (n,) of `state`."""
        return self.state.norm(dim=-1)

    @cached_property
    def previous_norm(self) -> Tensor | None:
        """Length (n,) of `previous`."""
        return None if self.previous is None else self.previous.norm(dim=-1)

    @property
    def firsts(self) -> Tensor:
        """Where each pair's first token stands among the n: `before[firsts]` is what the prompts led to."""
        return self.lasts + 1 - torch.tensor(self.lengths)

    @property
    def lasts(self) -> Tensor:
        """Where each pair's last token stands among the n."""
        return torch.tensor(self.lengths).cumsum(0) - 1

    @property
    def prediction(self) -> Prediction:
        """Log-probability of the emitted token and entropy of the distribution, each (n,), in nats.

        Of the distribution that this layer's state gives through the final norm and the unembedding: see
        `halluscope.lm.prediction`. Read once for all measures that want it.
        """
        return self.predict_later()()

    def on_grid(self, every: int | None) -> bool:
        """Whether this is one of every so many layers, counted down from the last; None: the last itself."""
        below = self.n_layers - 1 - self.layer
        return below == 0 if every is None else below % every == 0

    def predict_later(self) -> Callable[[], Prediction]:
        """What gives `prediction` when it is called, which is best done when the last layer has been seen."""
        return self.predictions.ask(self.layer, lambda: self.before)


@contextmanager
def residual_hooks(anatomy: Anatomy, on_layer: Callable[[int, Tensor], None]) -> Iterator[None]:
    """Call ``on_layer(row, hidden)`` for the embedding output and each block's output; always unhooked.

    The embedding output is taken as the first block's input, so that scaled embeddings and added position
    embeddings are in it; the last block's output is taken before the final norm.
    """

    def first_block_input(
        module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        # torch makes a hook known before it notes that it wants keywords: in between, another thread that is
        # at work with the model calls it without
        if args or "hidden_states" in kwargs:
            on_layer(0, args[0] if args else kwargs["hidden_states"])

    def block_output(row: int) -> Callable[..., None]:
        def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            on_layer(row, output[0] if isinstance(output, (tuple, list)) else output)

        return hook

    handles = []
    try:
        handles.append(anatomy.blocks[0].register_forward_pre_hook(first_block_input, with_kwargs=True))
        for row, block in enumerate(anatomy.blocks, start=1):
            handles.append(block.register_forward_hook(block_output(row)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def visit_layers(
    anatomy: Anatomy, batch: TokenBatch, visit: Callable[[LayerState], None], **options: Any
) -> None:
    """Run one batch through the decoder and show every layer's state to `visit`, bottom to top.

    Parameters
    ----------
    anatomy : Anatomy
        Of the language model.
    batch : TokenBatch
        Pairs to run. Every answer token must have a token before it.
    visit : callable
        Called once a layer, on the device that holds the layer.
    **options
        As for `run_decoder`.

    Raises
    ------
    ActivationError
        If a state is NaN or infinite; the message names the first such layer.
    ModelError
        If the blocks do not hand one residual stream from one to the next.
    """
    selection = _AnswerSelection(batch)
    n_layers = len(anatomy.blocks) + 1
    sums = torch.empty(n_layers)  # one tensor: what outlives its layer must not lie between large ones
    previous: list[Tensor] = []
    seen = 0
    recorder = threading.get_ident()
    predictions = selection.predictions(anatomy.unembed)

    def on_layer(row: int, hidden: Tensor) -> None:
        if threading.get_ident() != recorder:
            return  # the model is at work in another thread too: not our pair
        nonlocal seen, sums
        if row != seen or hidden.shape[:-1] != batch.ids.shape:
            raise unreadable(anatomy)
        seen += 1
        states, here, before, emitted = selection.of(hidden)
        if row == 0:
            sums = sums.to(states.device)
        sums[row] = states.sum()
        state = states[here]
        below = previous.pop().to(state.device) if previous else None
        previous.append(state)
        visit(
            LayerState(
                layer=row,
                n_layers=n_layers,
                state=state,
                read_before=lambda: states[before],
                previous=below,
                emitted=emitted,
                lengths=batch.lengths,
                unembed=anatomy.unembed,
                predictions=predictions,
            )
        )

    with torch.inference_mode(), residual_hooks(anatomy, on_layer):
        run_decoder(anatomy.decoder, batch, **options)
    if seen < n_layers:
        raise unreadable(anatomy)
    check_finite(sums)


def check_finite(sums: Tensor) -> None:
    """Raise `ActivationError` if a layer's states do not add up; the message names the first such layer."""
    # one transfer for all layers: a look at each sum would stop the device at every block
    flags = sums.isfinite().tolist()
    if not all(flags):
        raise ActivationError(
            f"the activations of layer {flags.index(False)} are NaN or infinite (layer 0 is the embedding): "
            "the weights are damaged or the dtype is too narrow for this model; try dtype=torch.bfloat16 or "
            "float32"
        )


def unreadable(anatomy: Anatomy) -> ModelError:
    """The error for a decoder whose blocks are not run one after the other on one residual stream."""
    return ModelError(
        f"{type(anatomy.decoder).__name__} does not pass one residual stream through its blocks in order: "
        "its layout is not one that halluscope can record"
    )


def run_decoder(decoder: nn.Module, batch: TokenBatch, **options: Any) -> None:
    """Send one batch through the decoder, for what hooks see of it; options go to the decoder's forward."""
    device = running_device(decoder.get_input_embeddings())  # type: ignore[operator]
    arguments: dict[str, Any] = {"attention_mask": batch.mask.to(device), "use_cache": False, **options}
    decoder(input_ids=batch.ids.to(device), **arguments)


class _AnswerSelection:
    """Picks the answer's tokens, and the token before each, out of a padded batch on any device."""

    def __init__(self, batch: TokenBatch) -> None:
        emitted = batch.ids[batch.rows, batch.positions]
        row_starts = batch.rows * batch.ids.shape[1]
        self._predicted_at = row_starts + batch.before
        wanted = torch.cat([row_starts + batch.positions, self._predicted_at])
        # most tokens stand before another one: each is read once
        places, found = wanted.unique(return_inverse=True)
        here, before = found.chunk(2)
        self._places = (places, here, before, emitted)
        self._on: dict[torch.device, list[Tensor]] = {}

    def predictions(self, unembed: Unembedding) -> Predictions:
        """What the layers predict of the answer's tokens, once they are asked."""
        return Predictions(unembed, self._places[-1], self._predicted_at)

    def of(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """States (k, d), where the answer's tokens and those before are among them, and the tokens' ids."""
        if hidden.device not in self._on:
            self._on[hidden.device] = [place.to(hidden.device) for place in self._places]
        places, here, before, emitted = self._on[hidden.device]
        return hidden.flatten(0, 1)[places].float(), here, before, emitted
