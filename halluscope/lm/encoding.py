"""Text as a tokenizer encodes it; control tokens that a user wrote stay the characters they are."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from halluscope.errors import InputError
from halluscope.lm.offsets import align_offsets

Encoded = tuple[list[int], list[tuple[int, int]]]
"""Token ids, and the characters that each covers."""


def state_of_tokenizer(tokenizer: Any) -> tuple[Any, ...]:
    """Changes when tokens are added or the chat template is set; takes some microseconds."""
    return (str(tokenizer.chat_template or ""), len(tokenizer))


class TextEncoder:
    """Encodes what a chat template writes, with its control tokens, and what users write, without any.

    Parameters
    ----------
    tokenizer : transformers tokenizer
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._controls: tuple[Any, dict[str, int], re.Pattern[str]] | None = None

    @property
    def control_ids(self) -> dict[str, int]:
        """The tokens that steer the model rather than spell text: special ones and those of the template."""
        return self._known_controls()[0]

    @property
    def control_pattern(self) -> re.Pattern[str]:
        """Finds the control tokens in a text, the longest first."""
        return self._known_controls()[1]

    def _known_controls(self) -> tuple[dict[str, int], re.Pattern[str]]:
        """Found anew once the user has changed the tokenizer."""
        state = state_of_tokenizer(self.tokenizer)
        if self._controls is None or self._controls[0] != state:
            found = self._find_controls()
            texts = sorted(filter(None, found), key=len, reverse=True)
            pattern = re.compile(f"({'|'.join(map(re.escape, texts))})" if texts else "((?!))")
            self._controls = (state, found, pattern)
        return self._controls[1:]

    def _find_controls(self) -> dict[str, int]:
        template = str(self.tokenizer.chat_template or "") + self._sample_conversation()
        return {
            str(token.content): index
            for index, token in self.tokenizer.added_tokens_decoder.items()
            if token.special or (_is_markup(str(token.content)) and token.content in template)
        }

    def _sample_conversation(self) -> str:
        """What the template writes around messages: it may spell tokens in pieces ('<|' + role + '|>')."""
        messages = [{"role": role, "content": ""} for role in ("system", "user", "assistant", "user")]
        samples = (messages, messages[1:])  # not every template takes a system message
        return next((rendered for rendered in map(self._try_render, samples) if rendered), "")

    def _try_render(self, messages: list[dict[str, Any]]) -> str:
        try:
            return self.render(messages)
        except InputError:
            return ""

    def render(self, messages: list[dict[str, Any]]) -> str:
        """The chat template around some messages; nothing where there is no template."""
        if not self.tokenizer.chat_template:
            return ""
        try:
            return str(
                self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            )
        except Exception as error:  # the template is the model's own code: it may raise anything
            raise InputError(f"the model's chat template refuses these messages: {error}") from error

    def encode_rendered(self, text: str) -> list[int]:
        """Text of the template: control tokens are control tokens, and no second BOS is put before them."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []

    def encode_text(self, text: str, anchor: str = "") -> Encoded:
        """A user's text, as it is tokenised behind a control token: those written in it are characters."""
        written = {self.control_ids[name] for name in self.control_pattern.findall(text)}
        if not written:
            return self._encode_behind(anchor, text)
        ids, offsets = self._encode_plain(text)
        if not written & set(ids) - {self.tokenizer.unk_token_id}:
            return ids, offsets
        # not every tokenizer can be told to split special tokens: none finds one that is cut in two
        all_ids: list[int] = []
        all_offsets: list[tuple[int, int]] = []
        start = 0
        for piece in _cut_inside(self.control_pattern, text):
            ids, offsets = self._encode_plain(piece)
            all_ids += ids
            all_offsets += [(a + start, b + start) for a, b in offsets]
            start += len(piece)
        return all_ids, all_offsets

    def _encode_behind(self, anchor: str, text: str) -> Encoded:
        if anchor and text:
            ids, offsets = self._encode_plain(anchor + text, split_special_tokens=False)
            if ids[:1] == [self.control_ids[anchor]]:
                shift = len(anchor)
                return ids[1:], [(max(a - shift, 0), max(b - shift, 0)) for a, b in offsets[1:]]
        return self._encode_plain(text)

    def _encode_plain(self, text: str, *, split_special_tokens: bool = True) -> Encoded:
        if not text:
            return [], []
        fast = bool(getattr(self.tokenizer, "is_fast", False))
        encoded = self.tokenizer(
            text,
            add_special_tokens=False,
            split_special_tokens=split_special_tokens,
            return_offsets_mapping=fast,
        )
        ids = list(encoded["input_ids"])
        if fast:
            return ids, [(int(a), int(b)) for a, b in encoded["offset_mapping"]]
        return ids, align_offsets(self.tokenizer, ids, text)


def _is_markup(text: str) -> bool:
    """Whether an added token looks like a sign to the model (``<think>``) and not like a word or a space."""
    return bool(text.strip()) and not text.strip().isalnum()


def _cut_inside(pattern: re.Pattern[str], text: str) -> list[str]:
    """Split `text` in the middle of every match, so that no piece holds a whole one."""
    cuts = [0, *(m.start() + max(1, len(m.group()) // 2) for m in pattern.finditer(text)), len(text)]
    return [text[a:b] for a, b in pairwise(cuts) if a < b]
