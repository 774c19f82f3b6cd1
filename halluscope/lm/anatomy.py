"""Where a causal language model keeps its blocks, its final norm and its unembedding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from halluscope.errors import ModelError


@dataclass(frozen=True)
class Anatomy:
    """The parts of a causal language model that recording needs.

    Parameters
    ----------
    decoder : Module
        Maps token ids to final hidden states, without the unembedding.
    blocks : sequence of Module
        The decoder blocks in order; block l writes row l + 1 of a surface.
    unembed : callable
        Residual states (n, d) to logits (n, vocabulary): final norm, unembedding, and the scaling or soft
        cap that the model's own forward applies to its logits.
    """

    decoder: nn.Module
    blocks: Sequence[nn.Module]
    unembed: Callable[[Tensor], Tensor]


def find_anatomy(model: Any) -> Anatomy:
    """Find the blocks, the final norm and the unembedding of a transformers causal language model.

    Found by structure, not by a list of architectures: the blocks are the module list with as many entries as
    the configuration counts layers, the final norm is the last norm beside them.

    Raises
    ------
    ModelError
        If the model has no such structure; the message names the class and what is missing.
    """
    kind = type(model).__name__
    config = getattr(model, "config", None)
    if config is None or not hasattr(model, "get_output_embeddings"):
        raise ModelError(f"{kind} is not a transformers language model: pass what AutoModelForCausalLM loads")
    if getattr(config, "is_encoder_decoder", False):
        raise ModelError(f"{kind} has an encoder and a decoder; halluscope reads decoder-only language models")
    unembedding = model.get_output_embeddings()
    if unembedding is None:
        raise ModelError(f"{kind} has no unembedding: load it as a causal language model")
    text_config = config.get_text_config(decoder=True)
    decoder, blocks = _find_blocks(model, text_config.num_hidden_layers)
    return Anatomy(decoder, list(blocks), _Unembedding(decoder, unembedding, text_config))


def _find_blocks(model: Any, n_layers: int) -> tuple[nn.Module, nn.ModuleList]:
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else model.base_model
    for module in decoder.modules():
        for child in module.children():
            if isinstance(child, nn.ModuleList) and len(child) == n_layers:
                return module, child
    raise ModelError(
        f"no list of {n_layers} decoder blocks found in {type(model).__name__}: "
        "its layout is not one that halluscope can record"
    )


class _Unembedding:
    """Final norm and unembedding, with the model's own treatment of its logits."""

    def __init__(self, decoder: nn.Module, unembedding: nn.Module, config: Any) -> None:
        norms = [
            child
            for name, child in decoder.named_children()
            if "norm" in type(child).__name__.lower() and "embed" not in name
        ]
        self.norm = norms[-1] if norms else nn.Identity()
        # OPT-350m narrows its states before the unembedding
        self.project = getattr(decoder, "project_out", None) or nn.Identity()
        self.unembedding = unembedding
        self.soft_cap: float | None = getattr(config, "final_logit_softcapping", None)  # Gemma 2
        # Cohere multiplies its logits, Granite divides them
        self.scale: float = (getattr(config, "logit_scale", None) or 1.0) / (
            getattr(config, "logits_scaling", None) or 1.0
        )

    def __call__(self, state: Tensor) -> Tensor:
        weight = next(self.unembedding.parameters())
        normed = self.norm(state.to(_device_of(self.norm, state.device), weight.dtype))
        logits = self.unembedding(self.project(normed).to(weight.device)).float() * self.scale
        if self.soft_cap:
            logits = torch.tanh(logits / self.soft_cap) * self.soft_cap
        return logits


def _device_of(module: nn.Module, default: torch.device) -> torch.device:
    parameter = next(module.parameters(), None)
    return default if parameter is None else parameter.device
