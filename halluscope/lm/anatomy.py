"""Where a causal language model keeps its blocks, its final norm and its unembedding."""

from __future__ import annotations

from collections.abc import Sequence
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
    blocks : ModuleList
        The decoder blocks in order, as the model holds them; block l writes row l + 1 of a surface.
    unembed : Unembedding
        Residual states (n, d) to logits (n, vocabulary).
    """

    decoder: nn.Module
    blocks: nn.ModuleList
    unembed: Unembedding


def find_anatomy(model: Any) -> Anatomy:
    """Find the blocks, the final norm and the unembedding of a transformers causal language model.

    Found by structure, not by a list of architectures: the blocks are the module list with as many entries as
    the configuration counts layers, the final norm is the norm beside them.

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
        raise ModelError(
            f"{kind} has an encoder and a decoder; halluscope reads decoder-only language models"
        )
    unembedding = model.get_output_embeddings()
    if unembedding is None:
        raise ModelError(f"{kind} has no unembedding: load it as a causal language model")
    text_config = config.get_text_config(decoder=True)
    decoder, blocks = _find_blocks(model, text_config.num_hidden_layers)
    return Anatomy(decoder, blocks, Unembedding(decoder, blocks, unembedding, text_config))


def _find_blocks(model: Any, n_layers: int) -> tuple[nn.Module, nn.ModuleList]:
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else model.base_model
    for module in decoder.modules():
        lists = [c for c in module.children() if isinstance(c, nn.ModuleList) and len(c) == n_layers]
        # the blocks of an encoder that is read as a decoder (BERT) stand apart from its embeddings
        if lists and hasattr(module, "get_input_embeddings"):
            return module, max(lists, key=_size)
    raise ModelError(
        f"no list of {n_layers} decoder blocks found in {type(model).__name__}: "
        "its layout is not one that halluscope can record"
    )


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def all_modules(module: nn.Module) -> list[nn.Module]:
    """What ``module.modules()`` gives, in a fraction of its time: it is asked for at every call."""
    found: dict[int, nn.Module] = {}
    waiting = [module]
    while waiting:
        each = waiting.pop()
        if id(each) not in found:
            found[id(each)] = each
            waiting += [child for child in reversed(each._modules.values()) if child is not None]
    return list(found.values())


def running_device(module: nn.Module, default: torch.device | str = "cpu") -> torch.device:
    """Where a module computes: where its weights are, unless accelerate keeps those elsewhere until used."""
    hook = getattr(module, "_hf_hook", None)
    for part in getattr(hook, "hooks", (hook,)):
        device = getattr(part, "execution_device", None)
        if device is not None:
            return torch.device(device)
    parameter = next(module.parameters(), None)
    return torch.device(default) if parameter is None else parameter.device


class Unembedding:
    """Final norm and unembedding, with the scaling or soft cap that the model's own forward gives its logits.

    Called with residual states (n, d), it gives logits (n, vocabulary) in float32.
    """

    def __init__(
        self, decoder: nn.Module, blocks: nn.ModuleList, unembedding: nn.Module, config: Any
    ) -> None:
        self.norm = _final_norm(decoder, blocks)
        # OPT-350m narrows its states before the unembedding
        self.project = getattr(decoder, "project_out", None) or nn.Identity()
        self.unembedding = unembedding
        self.soft_cap = _first_setting(config, _SOFT_CAPS)
        self.scale = (_first_setting(config, _MULTIPLIERS) or 1.0) / (
            _first_setting(config, _DIVISORS) or 1.0
        )

    def __call__(self, states: Tensor) -> Tensor:
        """Logits (n, vocabulary) of the model."""
        return self.treated(self.raw(states))

    def raw(self, states: Tensor) -> Tensor:
        """Logits (n, vocabulary) as the unembedding gives them, in its dtype."""
        normed = self.norm(_suited(states, self.norm))
        projected = self.project(_suited(normed, self.project))
        logits: Tensor = self.unembedding(_suited(projected, self.unembedding))
        return logits

    def treated(self, logits: Tensor) -> Tensor:
        """Raw logits scaled and capped, in float32; a copy."""
        logits = logits.to(torch.float32, copy=True)
        if self.scale != 1.0:
            logits *= self.scale
        if self.soft_cap:
            logits = torch.tanh(logits / self.soft_cap) * self.soft_cap
        return logits


# what a model's own forward does to its logits, by the configuration's word for it
_SOFT_CAPS = ("final_logit_softcapping", "logits_soft_cap", "output_logit_soft_cap")  # Gemma, Griffin, xLSTM
_MULTIPLIERS = ("logit_scale", "lm_head_multiplier")  # Cohere, Falcon-H1
_DIVISORS = ("logits_scaling", "logits_mup_width_multiplier")  # Granite, Inkling


def _first_setting(config: Any, names: Sequence[str]) -> float | None:
    values = (getattr(config, name, None) for name in names)
    return next((float(value) for value in values if value), None)


def _final_norm(decoder: nn.Module, blocks: nn.ModuleList) -> nn.Module:
    """The first norm behind the blocks; where none stands there (OPT), the last before them."""
    children = dict(decoder.named_children())
    norms = {name: child for name, child in children.items() if "norm" in type(child).__name__.lower()}
    order = list(children)
    first_block = order.index(next(name for name, child in children.items() if child is blocks))
    behind = [child for name, child in norms.items() if order.index(name) > first_block]
    # a norm of the embeddings (BLOOM) is none of the final states
    before = [child for name, child in norms.items() if "embed" not in name]
    return next(iter(behind[:1] + before[-1:]), nn.Identity())


def _suited(state: Tensor, module: nn.Module) -> Tensor:
    """The state on the device and in the dtype that a module computes in."""
    weight = next(module.parameters(), None)
    dtype = weight.dtype if weight is not None and weight.is_floating_point() else state.dtype
    return state.to(running_device(module, state.device), dtype)
