"""Whether a model is still what it was."""

from __future__ import annotations

from typing import Any

from torch import nn

from halluscope.lm.anatomy import all_modules

_SAMPLED = 12  # weights of which a value is looked at


def state_of_weights(model: nn.Module) -> tuple[Any, ...]:
    """Changes when weights are trained, loaded, moved or merged, and when adapters are switched.

    Takes about a millisecond and reads next to none of them.
    """
    modules = all_modules(model)
    held = [table for module in modules for table in (module._parameters, module._buffers)]
    weights = [weight for table in held for weight in table.values() if weight is not None]
    versions = tuple(
        (weight.data_ptr(), weight.dtype, -1 if weight.is_inference() else weight._version)
        for weight in weights
    )
    # what writes into the data itself leaves no version behind, but changes the first block's weights
    sample = tuple(weight.detach().flatten()[0].item() for weight in weights[:_SAMPLED] if not weight.is_meta)
    adapters = tuple(
        (module._disable_adapters, str(getattr(module, "active_adapters", "")))
        for module in modules
        if "_disable_adapters" in module.__dict__
    )
    return (versions, sample, adapters)


def state_of_forward(model: nn.Module) -> tuple[Any, ...]:
    """Changes when hooks are set or removed, and when a module's forward is replaced."""
    found = []
    for module in all_modules(model):
        # torch numbers hooks in the order in which they are set, and uses no number twice
        hooks = (*module._forward_hooks, *module._forward_pre_hooks)
        forward = module.__dict__.get("forward")
        if hooks or forward is not None:
            found.append((id(module), hooks, id(forward)))
    return tuple(found)
