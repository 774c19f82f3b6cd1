"""Recording attention weights block by block, reduced where they arise.

The fast implementations of attention never form the weights, so the model is switched to transformers' plain
("eager") one for the time of a recording. The weights of a block are taken from the output of its attention
module, where a visitor reduces them before the next block runs: those of all blocks are never held at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from halluscope.errors import InputError
from halluscope.lm.anatomy import Anatomy
from halluscope.lm.recording import TokenBatch, check_finite, residual_hooks, run_decoder, unreadable

#: Most tokens in one padded batch: the weights of a block are (pairs, heads, length, length), half a gigabyte
#: for one pair of 2048 tokens and 32 heads.
ATTENTION_TOKEN_BUDGET = 2048
_EAGER = "eager"


@dataclass(frozen=True, eq=False)
class BlockAttention:
    """The attention weights of one block and the residual stream around it, as a visitor sees them.

    Parameters
    ----------
    block : int
        Which block, from 0.
    n_blocks : int
        Blocks of the model.
    weights : Tensor of shape (pairs, heads, length, length)
        How much each token (third axis) attends to each token (fourth axis).
    below, above : Tensor of shape (pairs, length, d)
        Residual stream at every token before and behind the block, in the model's dtype.
    rows, positions : Tensor of shape (answer tokens of all pairs,)
        Row and position of every answer token, pair after pair.
    lengths : tuple of int
        Answer tokens of each pair.
    """

    block: int
    n_blocks: int
    weights: Tensor
    below: Tensor
    above: Tensor
    rows: Tensor
    positions: Tensor
    lengths: tuple[int, ...]


@contextmanager
def eager_attention(model: Any) -> Iterator[dict[str, Any]]:
    """Let a model form its attention weights while the block runs; what it was set to before comes back.

    Yields
    ------
    dict
        What the forward pass has to be asked for: nothing where the implementation can be switched, the
        weights where the model is of the older kind that is loaded with one for good (BLOOM, Falcon).

    Raises
    ------
    InputError
        If it can be neither switched nor was loaded with the plain implementation. (Falcon would still return
        weights, but wrong ones: it adds the mask of the fast implementation, which is true and false.)
    """
    # asked first where it can be, since a refusal to switch is logged, once for every batch
    can_switch = getattr(model, "_can_set_attn_implementation", None)
    if not (can_switch() if can_switch else hasattr(model, "set_attn_implementation")):
        if model.config.get_text_config(decoder=True)._attn_implementation != _EAGER:
            raise InputError(
                f"{type(model).__name__} gives no attention weights as it was loaded: load it with "
                f"attn_implementation='{_EAGER}'"
            )
        yield {"output_attentions": True}
        return
    before = _implementations(model.config)
    try:
        model.set_attn_implementation(_EAGER)
        yield {}
    finally:
        model.set_attn_implementation(before)


def _implementations(config: Any) -> str | dict[str, str]:
    """The implementation set in a configuration, by name of the part where it has parts (text, images)."""
    parts = {name: getattr(config, name, None) for name in getattr(config, "sub_configs", {})}
    own = config._attn_implementation
    if not parts:
        return str(own)
    return {"": own, **{name: part._attn_implementation for name, part in parts.items() if part is not None}}


@contextmanager
def attention_hooks(anatomy: Anatomy, on_weights: Callable[[int, Tensor], None]) -> Iterator[None]:
    """Call ``on_weights(block, weights)`` for each tensor of weights that a part of a block returns.

    Found by shape, not by a list of architectures: (pairs, heads, length, length), beside the part's own
    output. The weights are taken out of that output, so that a decoder which collects them for its caller
    collects nothing. Always unhooked.
    """

    def part_output(block: int) -> Callable[..., Any]:
        def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
            if not isinstance(output, tuple) or not isinstance(output[0], Tensor):
                return None
            for place, value in enumerate(output[1:], start=1):
                if _are_weights(value, output[0]):
                    on_weights(block, value)
                    return (*output[:place], None, *output[place + 1 :])
            return None

        return hook

    handles = []
    try:
        for number, block in enumerate(anatomy.blocks):
            parts = [part for part in block.modules() if part is not block]
            handles += [part.register_forward_hook(part_output(number)) for part in parts]
        yield
    finally:
        for handle in handles:
            handle.remove()


def _are_weights(value: Any, states: Tensor) -> bool:
    return (
        isinstance(value, Tensor) and value.ndim == 4 and value.shape[2] == value.shape[3] == states.shape[1]
    )


def visit_attention(
    model: Any, anatomy: Anatomy, batch: TokenBatch, visit: Callable[[BlockAttention], None]
) -> None:
    """Run one batch through the decoder and show every block's attention to `visit`, bottom to top.

    Parameters
    ----------
    model : PreTrainedModel
        The language model; switched to plain attention meanwhile.
    anatomy : Anatomy
        Its parts.
    batch : TokenBatch
        Pairs to run.
    visit : callable
        Called once a block, on the device that holds the block.

    Raises
    ------
    InputError
        If a block gives no attention weights.
    ActivationError
        If a state is NaN or infinite.
    ModelError
        If the blocks do not hand one residual stream from one to the next.
    """
    n_blocks = len(anatomy.blocks)
    weights: dict[int, Tensor] = {}
    streams: list[Tensor] = []
    sums: list[Tensor] = []
    recorder = threading.get_ident()

    def on_weights(block: int, found: Tensor) -> None:
        if threading.get_ident() == recorder:
            weights[block] = found

    def on_layer(row: int, hidden: Tensor) -> None:
        if threading.get_ident() != recorder:
            return
        if row != len(sums) or hidden.shape[:-1] != batch.ids.shape:
            raise unreadable(anatomy)
        rows, positions = batch.rows.to(hidden.device), batch.positions.to(hidden.device)
        sums.append(hidden[rows, positions].float().sum())
        if row > 0:
            if row - 1 not in weights:
                raise _without_weights(anatomy, row - 1)
            found = weights.pop(row - 1).to(hidden.device)
            below = streams.pop().to(hidden.device)
            visit(BlockAttention(row - 1, n_blocks, found, below, hidden, rows, positions, batch.lengths))
        streams.append(hidden)

    with (
        torch.inference_mode(),
        eager_attention(model) as options,
        attention_hooks(anatomy, on_weights),
        residual_hooks(anatomy, on_layer),
    ):
        run_decoder(anatomy.decoder, batch, **options)
    if len(sums) < n_blocks + 1:
        raise unreadable(anatomy)
    check_finite(torch.stack([each.to(sums[0].device) for each in sums]))


def _without_weights(anatomy: Anatomy, block: int) -> InputError:
    return InputError(
        f"block {block} of {type(anatomy.decoder).__name__} gives no attention weights: what reads attention "
        "needs a model whose every block attends and that transformers can run with "
        f"attn_implementation='{_EAGER}'"
    )
