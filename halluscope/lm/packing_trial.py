"""Whether a decoder takes packed pairs: known of some types of model, tried with the others."""

from __future__ import annotations

import threading
from itertools import count, islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from halluscope.lm.anatomy import Anatomy, running_device
from halluscope.lm.beginning import Beginning
from halluscope.lm.packing import FULL, SLIDING, Row, Windows, packed_options
from halluscope.lm.recording import TokenBatch, residual_hooks, run_decoder

_TRIED = 512  # tokens by which a decoder is tried: enough to show most windows and tables of positions
# largest distance of a state from itself that is rounding, in units of its distance from the mean state
_ROUNDING, _COARSE_ROUNDING = 1e-4, 0.25
_OUTLIERS = 0.01  # share of states that rounding moves further

KNOWN_TO_PACK = frozenset(
    (
        *("cohere", "gemma2", "gemma3_text", "gpt2", "gpt_neox", "granite", "llama", "mistral", "mixtral"),
        *("olmo2", "opt", "phi3", "qwen2", "qwen3", "qwen3_moe"),
    )
)
"""Types of models that take packed rows, as the tests show; others are tried when they are first used."""
_WINDOWED = frozenset(("gemma2", "gemma3_text", "mistral", "mixtral", "phi3", "qwen2", "qwen3", "qwen3_moe"))
"""Those of them that attend through windows where their configuration has one."""
_MIXED = frozenset(("gemma2", "gemma3_text", "qwen2", "qwen3", "qwen3_moe"))
"""Those of these that have windows in some blocks only."""


def takes_packed_rows(
    anatomy: Anatomy, windows: Windows, dtype: torch.dtype, context_window: int | None
) -> bool:
    """Whether a decoder gives packed pairs the states that it gives them one by one: tried on a full row.

    Architectures that keep another memory than keys and values, or that reckon positions in their own way,
    do not; what they say to it differs too much to be listed. Not tried where the tests have.

    Parameters
    ----------
    anatomy, windows, dtype
        Of the language model.
    context_window : int or None
        Tokens that the language model reads.
    """
    decoder: Any = anatomy.decoder
    # other kernels take the mask for one of real tokens, and read beside their memory
    implementation = getattr(decoder.config, "_attn_implementation", None)
    if windows.kinds - {FULL, SLIDING} or implementation not in (None, "eager", "sdpa"):
        return False
    if _is_known(anatomy, windows):
        return True
    if SLIDING in windows.kinds and windows.width > _TRIED // 2:
        return False  # wider than a trial can show
    sequences, begun = _sequences(decoder, context_window)
    row = Row.of(sequences, begun)
    try:
        device = running_device(decoder.get_input_embeddings())
        options = packed_options([row], Beginning(decoder, sequences[0][:begun]), windows, dtype, device)
        packed = _states(anatomy, torch.tensor([row.ids]), **options)[:, np.concatenate(row.ways)]
        alone = torch.cat([_states(anatomy, torch.tensor([ids]))[:, begun:] for ids in sequences], dim=1)
    except torch.OutOfMemoryError:
        raise
    except Exception:  # code of any architecture, asked for what it may not be made for
        return False
    apart = (packed - alone).norm(dim=-1)
    spread = (alone - alone.mean(dim=1, keepdim=True)).norm(dim=-1).clamp_min(1e-6)
    most = _ROUNDING if torch.finfo(dtype).bits >= 32 else _COARSE_ROUNDING
    return bool((apart > most * spread).float().mean() <= _OUTLIERS)


def _is_known(anatomy: Anatomy, windows: Windows) -> bool:
    """Whether a decoder is of a type that the tests have shown to take packed rows, and set up like those."""
    decoder: Any = anatomy.decoder
    kind, config = decoder.config.model_type, decoder.config
    dtypes = {next(part.parameters()).dtype for part in (decoder.get_input_embeddings(), anatomy.blocks[0])}
    return (
        kind in KNOWN_TO_PACK
        and type(decoder).__module__.startswith("transformers.models.")
        and getattr(config, "is_causal", True) is not False
        and not getattr(config, "use_bidirectional_attention", False)
        and (SLIDING not in windows.kinds or kind in _WINDOWED)
        and (len(windows.kinds) == 1 or kind in _MIXED)
        and len(dtypes) == 1
    )


def _sequences(decoder: Any, context_window: int | None) -> tuple[list[list[int]], int]:
    """Sequences of unequal lengths, spread over the vocabulary, and how many first tokens they share.

    Two of them share more than that: they part within the row.
    """
    vocabulary = decoder.get_input_embeddings().weight.shape[0]
    begun = _TRIED // 2 if context_window is None else min(_TRIED, context_window) // 2
    ids = (number * 7919 % vocabulary for number in count())
    beginning, together = list(islice(ids, begun)), list(islice(ids, max(1, begun // 6)))
    parted = [[*beginning, *together, *islice(ids, max(1, begun // 6))] for _ in range(2)]
    alone = [[*beginning, *islice(ids, length)] for length in (2, begun)]
    return [*parted, *alone], begun


def _states(anatomy: Anatomy, ids: Tensor, **options: Any) -> Tensor:
    """Float32 output (layers, tokens, d) of every block for a single row."""
    kept: dict[int, Tensor] = {}
    nothing = torch.empty(0, dtype=torch.long)
    batch = TokenBatch(ids, torch.ones_like(ids), nothing, nothing, nothing, ())
    recorder = threading.get_ident()

    def keep(row: int, hidden: Tensor) -> None:
        if threading.get_ident() == recorder:  # the model may be at work in another thread too
            kept[row] = hidden[0].float().cpu()

    with torch.inference_mode(), residual_hooks(anatomy, keep):
        run_decoder(anatomy.decoder, batch, **options)
    return torch.stack([kept[row] for row in range(len(anatomy.blocks) + 1)])
