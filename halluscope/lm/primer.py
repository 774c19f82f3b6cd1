"""The primer: a conversation about well-known facts that stands before what a detector reads.

A language model answers in the manner of the text before it. Behind a few questions that were answered
truly and briefly, an untrue answer surprises it more, and what it knows of the matter shows more clearly in
its states. The primer is the same for every pair, so its keys and values are computed once. It is for models
that are spoken to through a chat template: those without one continue the plain form as well or better alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from halluscope.errors import InputError
from halluscope.lm.encoding import TextEncoder, state_of_tokenizer

Primer = tuple[tuple[str, str], ...]
"""Questions with their answers."""

PRIMER: Primer = (
    ("What is the capital of Japan?", "The capital of Japan is Tokyo."),
    ("Tell me something about honey.", "Honey is made by bees."),
    ("Who painted the Mona Lisa?", "Leonardo da Vinci."),
    ("Tell me a fact.", "The Earth orbits the Sun once a year."),
    ("How many days are in a week?", "Seven."),
    ("Tell me something about William Shakespeare.", "William Shakespeare wrote the play Hamlet."),
    ("Which metal is liquid at room temperature?", "Mercury."),
    ("Tell me a fact.", "Plants need sunlight, water and air to grow."),
)
"""What detectors read behind, unless they are told otherwise."""

LEAD = "Answer:"
"""What every answer behind a primer begins with, in the primer too: after it words are spelled with their
space, as a model has mostly read them, and not as they begin a message."""

_SHARE = 4  # a primer takes up at most this part of the context window: the rest is the pair's


@dataclass(frozen=True)
class PrimerOpening:
    """What stands before every pair.

    Parameters
    ----------
    ids : tuple of int
        Tokens of the primer; none where there is no primer.
    shared : tuple of int
        Tokens with which both the primer and a prompt begin (a system message, mostly): they are not repeated
        behind the primer.
    """

    ids: tuple[int, ...] = ()
    shared: tuple[int, ...] = ()


class PrimerEncoder:
    """Tokens of primers, as a model's chat template puts them.

    There is no primer for a model without a chat template, nor for one whose template takes no earlier turns.

    Parameters
    ----------
    encoder : TextEncoder
    context_window : int or None
        Tokens that the model reads. A primer takes up a quarter at most: its first exchanges that fit.
    """

    def __init__(self, encoder: TextEncoder, context_window: int | None) -> None:
        self._encoder = encoder
        self._most = context_window and context_window // _SHARE
        self._known: dict[tuple[Any, ...], PrimerOpening] = {}

    def __call__(self, primer: Primer) -> PrimerOpening:
        """What a primer puts before every pair.

        Raises
        ------
        InputError
            If the primer's text holds a control token of the model.
        """
        if not primer or not self._encoder.tokenizer.chat_template:
            return PrimerOpening()
        primer = tuple((asked, answer) for asked, answer in primer)  # a list is no key
        once = self._render([_QUESTION])  # some templates write the date: what was known is of yesterday then
        key = (primer, once, state_of_tokenizer(self._encoder.tokenizer))
        if key not in self._known:
            self._known[key] = self._longest(primer, once)
        return self._known[key]

    def _longest(self, primer: Primer, once: str) -> PrimerOpening:
        for text in (text for exchange in primer for text in exchange):
            if found := self._encoder.control_pattern.search(text):
                raise InputError(f"a primer is text, and '{found.group()}' is a control token of this model")
        for length in range(len(primer), 0, -1):
            opening = self._encode(primer[:length], once)
            if self._most is None or len(opening.ids) <= self._most:
                return opening
        return PrimerOpening()

    def _encode(self, primer: Primer, once: str) -> PrimerOpening:
        messages = []
        for asked, answer in primer:
            messages.append({"role": "user", "content": asked})
            messages.append({"role": "assistant", "content": f"{LEAD} {answer.strip()}"})
        last = messages[-1]["content"]
        # a question behind it: templates treat a conversation's last answer unlike earlier ones
        whole = self._render([*messages, _QUESTION])
        if last not in whole:
            return PrimerOpening()
        rest = whole[whole.rindex(last) + len(last) :]
        ended = self._encoder.control_pattern.match(rest)
        turn = rest[ended.end() :].lstrip() if ended else rest
        if _QUESTION["content"] not in turn:
            return PrimerOpening()
        shared = once.removesuffix(turn) if once.endswith(turn) else ""
        encoded = (self._encoder.encode_rendered(text) for text in (whole.removesuffix(turn), shared))
        return PrimerOpening(*map(tuple, encoded))

    def _render(self, messages: list[dict[str, str]]) -> str:
        """The template around some messages; nothing if it refuses them."""
        try:
            return self._encoder.render(messages)
        except InputError:
            return ""


_QUESTION = {"role": "user", "content": "Question"}
