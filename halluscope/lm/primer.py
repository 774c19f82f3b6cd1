"""The primer: a conversation about well-known facts that stands before what a detector reads.

A language model answers in the manner of the text before it. Behind a few questions that were answered
truly and briefly, an untrue answer surprises it more, and what it knows of the matter shows more clearly in
its states. The primer is the same for every pair, so its keys and values are computed once. It is for models
that are spoken to through a chat template: those without one continue the plain form as well or better alone.
"""

from __future__ import annotations

from functools import cached_property

from halluscope.lm.encoding import TextEncoder

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


class PrimerEncoder:
    """Tokens of primers, as a model's chat template puts them.

    Parameters
    ----------
    encoder : TextEncoder
    context_window : int or None
        Tokens that the model reads. A primer takes up a quarter at most: its first exchanges that fit.
    """

    def __init__(self, encoder: TextEncoder, context_window: int | None) -> None:
        self._encoder = encoder
        self._most = context_window and context_window // _SHARE
        self._known: dict[Primer, tuple[int, ...]] = {}

    def __call__(self, primer: Primer) -> tuple[int, ...]:
        """Token ids of a primer; none without a chat template, or if not even its first exchange fits."""
        if primer not in self._known:
            self._known[primer] = self._encode_longest(primer)
        return self._known[primer]

    @cached_property
    def shared(self) -> tuple[int, ...]:
        """Token ids with which both a primer and a prompt begin: they are not repeated behind the primer."""
        asked = {"role": "user", "content": "Question"}
        answered = [asked, {"role": "assistant", "content": "Answer"}]
        once, twice = self._render([asked]), self._render([*answered, asked])
        # what the second question adds is a turn of the user's without what stands before the first one
        turn = twice.removeprefix(self._render(answered))
        before = once.removesuffix(turn)
        return tuple(self._encoder.encode_rendered(before if len(before) < len(once) else ""))

    def _encode_longest(self, primer: Primer) -> tuple[int, ...]:
        if not self._encoder.tokenizer.chat_template:
            return ()
        for length in range(len(primer), 0, -1):
            messages = []
            for asked, answer in primer[:length]:
                messages.append({"role": "user", "content": asked})
                messages.append({"role": "assistant", "content": f"{LEAD} {answer}"})
            ids = self._encoder.encode_rendered(self._render(messages))
            if self._most is None or len(ids) <= self._most:
                return tuple(ids)
        return ()

    def _render(self, messages: list[dict[str, str]]) -> str:
        return self._encoder.render(messages, to_be_answered=False)
