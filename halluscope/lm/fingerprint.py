"""A short digest by which a detector knows the language model it was trained on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import torch

# Values looked at in every weight, in runs, since each new place costs a read from a file just opened.
_RUNS = 4
_RUN_LENGTH = 1024
_VOCABULARY_SAMPLES = 1024
_PROBE = "The quick brown fox, 42 jumps; déjà vu -> 東京 naïve\n\tΩ 🙂 don't"


def fingerprint(model: Any, tokenizer: Any) -> str:
    """Digest of a language model: architecture, shapes, tokenizer and samples of every weight.

    The weights enter by the signs of evenly spaced samples: rounding to another dtype keeps signs, so the
    same weights in another dtype give the same digest, and any training moves some of the many signs. Not
    seen: a change that keeps every sampled sign (scaling a weight).

    Returns
    -------
    str
        64 hexadecimal digits (SHA-256).
    """
    digest = hashlib.sha256()
    digest.update(json.dumps(_architecture(model)).encode())
    digest.update(json.dumps(_tokenizer_traits(tokenizer), sort_keys=True, ensure_ascii=True).encode())
    for name, parameter in _weights(model):
        digest.update(f"{name}{tuple(parameter.shape)}".encode())
        digest.update(_signs(parameter))
    return digest.hexdigest()


def _architecture(model: Any) -> list[Any]:
    return [type(model).__name__, getattr(model.config, "model_type", "")]


def _weights(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    from accelerate.utils import align_module_device

    for prefix, module in model.named_modules():
        with align_module_device(module):  # weights that wait in memory or on disk come in for a look
            for name, parameter in module.named_parameters(recurse=False):
                yield f"{prefix}.{name}", parameter


def _signs(parameter: torch.Tensor) -> bytes:
    values = parameter.detach().reshape(-1)
    if values.numel() > _RUNS * _RUN_LENGTH:
        step = values.numel() // _RUNS
        values = values[: step * _RUNS].view(_RUNS, step)[:, :_RUN_LENGTH]
    return bytes(torch.signbit(values.float()).cpu().numpy().tobytes())


def _tokenizer_traits(tokenizer: Any) -> dict[str, Any]:
    size = len(tokenizer)
    sampled = list(range(0, size, max(1, size // _VOCABULARY_SAMPLES)))
    return {
        "size": size,
        "vocabulary": tokenizer.convert_ids_to_tokens(sampled),
        "probe": tokenizer(_PROBE)["input_ids"],
        "template": str(tokenizer.chat_template or ""),
    }
