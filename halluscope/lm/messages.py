"""Chat messages before they meet a template: brought to one form, and with what users wrote kept text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any


def as_messages(prompt: Any, context: str | None) -> list[dict[str, Any]]:
    """Chat messages with text contents; the context goes before the last question.

    Parameters
    ----------
    prompt : str or chat messages
        Text is the message of a user.
    context : str or None
        Reference text.
    """
    if isinstance(prompt, str):
        messages: list[dict[str, Any]] = [{"role": "user", "content": prompt}]
    else:
        messages = [{**m, "content": _text_of(m["content"])} for m in prompt]
    if context:
        asked = [number for number, message in enumerate(messages) if message["role"] == "user"]
        last = asked[-1] if asked else -1
        text = "\n\n".join(part for part in (context, messages[last]["content"]) if part)
        messages[last] = {**messages[last], "content": text}
    return messages


def _text_of(content: str | Sequence[Mapping[str, str]]) -> str:
    return content if isinstance(content, str) else "\n".join(part["text"] for part in content)


class HiddenControls:
    """Chat messages with marks in place of the control tokens that users wrote: no template revives them.

    Parameters
    ----------
    pattern : Pattern
        Matches a control token.
    messages : list of dict
        As the user gave them; control tokens are hidden in every text of theirs, the role included.

    Attributes
    ----------
    messages : list of dict
        The same with marks.
    hidden : list of str
        The control tokens that the marks stand for; empty if there were none.
    """

    def __init__(self, pattern: re.Pattern[str], messages: list[dict[str, Any]]) -> None:
        self.hidden: list[str] = []
        self._pattern = pattern
        written = json.dumps(messages, ensure_ascii=False, default=str)
        # a character for private use that nobody uses here
        self._mark = next(c for c in map(chr, range(0xE000, 0xF8FF)) if c not in written)
        self.messages: list[dict[str, Any]] = self._hide(messages)

    def _hide(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._pattern.sub(self._hide_match, value)
        if isinstance(value, Mapping):
            return {key: self._hide(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._hide(item) for item in value]
        return value

    def _hide_match(self, match: re.Match[str]) -> str:
        self.hidden.append(match.group())
        return f"{self._mark}{len(self.hidden) - 1}{self._mark}"

    def reveal(self, text: str) -> str:
        """The text with the hidden control tokens written out again."""
        return re.sub(f"{self._mark}(\\d+){self._mark}", lambda m: self.hidden[int(m.group(1))], text)
