"""Loading a language model through transformers, by a known name, a hub id or a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from halluscope.errors import ModelError
from halluscope.lm.catalogue import KNOWN_MODELS
from halluscope.lm.pull import pull, pulled_folder

#: What transformers' loader of tokenizers must know as well as its loader of models.
_SHARED_ARGUMENTS = (
    "revision",
    "trust_remote_code",
    "token",
    "cache_dir",
    "local_files_only",
    "force_download",
    "subfolder",
    "gguf_file",
)
_HOW_TO_COMPUTE = ("dtype", "torch_dtype", "device_map", "quantization_config", "config")


def load_pretrained(name: str | Path, **kwargs: Any) -> tuple[Any, Any]:
    """Model and tokenizer; arguments and errors as of `LanguageModel.from_pretrained`."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = str(_locate(name))
    kwargs.setdefault("trust_remote_code", False)  # left open, transformers would ask on the terminal
    if str(name) in KNOWN_MODELS and kwargs.keys().isdisjoint(_HOW_TO_COMPUTE):
        kwargs["dtype"] = _fast_dtype()
    shared = {key: kwargs[key] for key in _SHARED_ARGUMENTS if key in kwargs}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **shared)
        model = AutoModelForCausalLM.from_pretrained(source, **kwargs)
    except Exception as error:  # the tokenizers' own is no narrower, and configurations raise anything
        told = [line.strip() for line in str(error).splitlines() if line.strip()]  # hundreds, of weights
        reason = " ".join(told[:5]) or type(error).__name__
        raise ModelError(
            f"cannot load language model '{name}': {reason} "
            f"(known names: {', '.join(KNOWN_MODELS)}; or a hub id, or a folder that transformers saved)"
        ) from error
    return model, tokenizer


def _fast_dtype() -> torch.dtype:
    """What this processor computes fastest of what the known models' weights lose nothing in."""
    slow_bfloat16 = torch.backends.cpu.get_cpu_capability() == "AVX2"  # emulated, in a third of the speed
    return torch.float32 if slow_bfloat16 else torch.bfloat16


def _locate(name: str | Path) -> str | Path:
    text = str(name)
    if text in KNOWN_MODELS:
        return pulled_folder(text) or pull(text)
    looks_like_path = isinstance(name, Path) or text.startswith((".", "/", "~", "\\")) or text.count("/") > 1
    folder = Path(text).expanduser()
    if looks_like_path and not folder.is_dir():
        raise ModelError(
            f"no such language model: '{text}' is not a folder (known names: {', '.join(KNOWN_MODELS)}; "
            "or a hub id, or a folder that transformers saved)"
        )
    return folder if folder.is_dir() else text
