"""Turning a GGUF file into a folder that transformers loads in a moment, and checking it."""

from __future__ import annotations

import errno
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from halluscope.errors import PullError
from halluscope.lm.catalogue import PROBE, KnownModel


def convert(gguf: Path, folder: Path, known: KnownModel) -> None:
    """Write a GGUF file's model and tokenizer as a transformers folder with bfloat16 safetensors.

    Parameters
    ----------
    gguf : Path
        The GGUF file.
    folder : Path
        Where the result goes.
    known : KnownModel
        What the tokenizer must turn out to be.

    Raises
    ------
    PullError
        If the installed transformers cannot read the file, or reads its tokenizer wrongly.
    OSError
        If the disk is full.
    """
    import transformers

    with _quiet(transformers):
        try:
            _load_weights(transformers, gguf).save_pretrained(folder)
            tokenizer: Any = transformers.AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
            if known.digits_apart:
                _cut_out_digits(tokenizer)
            if known.probe[0] == tokenizer.bos_token_id:
                tokenizer.add_bos_token = True  # the GGUF file says so, but most releases do not look
            tokenizer.save_pretrained(folder)
            _check_tokenizer(transformers.AutoTokenizer.from_pretrained(folder), known)
        except PullError:
            raise
        except Exception as error:
            # Several libraries meet here, each with its own errors; safetensors names a full disk in words.
            if isinstance(error, OSError) and error.errno:
                raise
            if f"os error {errno.ENOSPC}" in str(error):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise PullError(
                f"transformers {transformers.__version__} cannot convert {known.gguf_name} ({reason}): "
                "upgrade transformers and gguf"
            ) from error
    for file in folder.glob("*.safetensors"):
        shutil.copymode(folder / "config.json", file)  # safetensors lets only the owner read them


def _load_weights(transformers: Any, gguf: Path) -> Any:
    import torch

    # Releases that can keep weights packed must be told not to; those that cannot have no such class.
    packing = getattr(transformers, "GgufConfig", None)
    options = {"quantization_config": packing(dequantize=True)} if packing else {}
    return transformers.AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16, **options
    )


def _cut_out_digits(tokenizer: Any) -> None:
    """Make each digit a piece of its own before byte-pair merging, as in training.

    No token holds two digits, so the difference shows only in the white space before a number: a blank line
    before "1." is one token, not two.
    """
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    tokenizer.backend_tokenizer.pre_tokenizer = Sequence(
        [Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]
    )


def _check_tokenizer(tokenizer: Any, known: KnownModel) -> None:
    """Compare a tokenizer, as it will be loaded, with what the catalogue knows."""
    special_ids = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    if tuple(tokenizer(PROBE)["input_ids"]) != known.probe or special_ids != known.special_ids:
        raise PullError(
            f"the installed transformers reads the tokenizer of {known.gguf_name} wrongly, so that the model "
            "would be fed nonsense: upgrade transformers"
        )


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Silence the progress bars and log lines of the conversion; the caller shows progress of its own."""
    from transformers import modeling_gguf_pytorch_utils as reader

    logging = transformers.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    bar = getattr(reader, "tqdm", None)  # this one asks nobody whether it is wanted
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    if bar is not None:
        reader.tqdm = lambda iterable, *args, **kwargs: iterable
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if bar is not None:
            reader.tqdm = bar
        if bars:
            logging.enable_progress_bar()
        logging.set_verbosity(verbosity)
