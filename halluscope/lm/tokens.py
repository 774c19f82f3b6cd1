"""From a prompt and an answer to the tokens that the model would have read and emitted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from halluscope.errors import ContextWindowError, InputError
from halluscope.records import Answer, Prompt, check_answer, check_prompt, is_token_ids

PLAIN_FORM = "Question: {prompt}\nAnswer:"
"""How a prompt is put to a model without a chat template; the answer follows after a space."""

_REPLACEMENT = "\ufffd"  # what a decoder writes for a character whose bytes are not all there yet


@dataclass(frozen=True)
class TokenizedPair:
    """Token ids of prompt and answer.

    Parameters
    ----------
    ids : tuple of int
        Prompt, then answer.
    start : int
        Index of the answer's first token; at least 1, since the model predicts it from the one before.
    tokens : tuple of str
        The text that each answer token covers.
    offsets : tuple of (int, int)
        Start and end of each answer token as character positions in `answer`.
    answer : str
        The answer's text.
    """

    ids: tuple[int, ...]
    start: int
    tokens: tuple[str, ...]
    offsets: tuple[tuple[int, int], ...]
    answer: str


class PairTokenizer:
    """Turns pairs into tokens, as the model's own chat template and tokenizer would have it.

    User text is data: special tokens written in a prompt, a context or an answer are tokenised as the
    characters they are, never as the control tokens they name.

    Parameters
    ----------
    tokenizer : transformers tokenizer
        Its chat template is used where it has one, else `PLAIN_FORM`.
    context_window : int, optional
        Longest sequence that the model reads; None if it has no limit.
    """

    def __init__(self, tokenizer: Any, context_window: int | None = None) -> None:
        self.tokenizer = tokenizer
        self.context_window = context_window

    def __call__(self, prompt: Prompt, answer: Answer, context: str | None = None) -> TokenizedPair:
        """Tokenise one pair.

        Parameters
        ----------
        prompt : str, chat messages or token ids
            Empty text for a bare statement. Token ids are taken as they are.
        answer : str or token ids
            Token ids of a real generation are taken as they are.
        context : str, optional
            Reference text, placed before the question.

        Raises
        ------
        InputError
            For a blank answer or a prompt of another kind.
        ContextWindowError
            If the pair is longer than the context window.
        """
        check_prompt(prompt)
        check_answer(answer)
        head, tail, joiner = self._prompt_ids(prompt, context)
        if isinstance(answer, str):
            prompt_ids, answer_ids, offsets = self._join(head, tail, joiner, answer)
            text = answer
        else:
            prompt_ids = head + self._encode_rendered(tail)
            answer_ids = _as_ids(answer)
            text, offsets = decode_with_offsets(self.tokenizer, answer_ids)
        if not answer_ids:
            raise InputError("field 'answer' has no tokens in this model's vocabulary")
        if not prompt_ids:
            prompt_ids = [self._first_id()]
        length = len(prompt_ids) + len(answer_ids)
        if self.context_window is not None and length > self.context_window:
            raise ContextWindowError(length, self.context_window)
        return TokenizedPair(
            ids=(*prompt_ids, *answer_ids),
            start=len(prompt_ids),
            tokens=tuple(text[a:b] for a, b in offsets),
            offsets=tuple(offsets),
            answer=text,
        )

    @cached_property
    def control_ids(self) -> dict[str, int]:
        """The tokens that steer the model rather than spell text: special ones and those of the template."""
        template = str(self.tokenizer.chat_template or "")
        added = self.tokenizer.added_tokens_decoder
        return {
            str(token.content): index
            for index, token in added.items()
            if token.special or (token.content.strip() and token.content in template)
        }

    @cached_property
    def _control_pattern(self) -> re.Pattern[str] | None:
        texts = sorted(self.control_ids, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, texts))) if texts else None

    def _prompt_ids(self, prompt: Prompt, context: str | None) -> tuple[list[int], str, str]:
        """Ids of the prompt up to its last control token, the text after it, and what the answer follows on."""
        if is_token_ids(prompt):
            if context:
                raise InputError("field 'context' cannot be placed in a prompt given as token ids")
            return _as_ids(prompt), "", ""
        if self.tokenizer.chat_template:
            return self._rendered_prompt(_as_messages(prompt, context))
        return self._plain_prompt(prompt, context)

    def _rendered_prompt(self, messages: list[dict[str, Any]]) -> tuple[list[int], str, str]:
        messages, hidden, mark = self._hide_control_texts(messages)
        try:
            rendered = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        except Exception as error:  # the template is the model's own code: it may raise anything
            raise InputError(f"the model's chat template refuses these messages: {error}") from error
        ids: list[int] = []
        # the pieces alternate: what the template rendered, then the number of a control text that was hidden
        pieces = re.split(f"{mark}(\\d+){mark}", rendered) if mark else [rendered]
        for number, piece in enumerate(pieces[:-1]):
            ids += self._encode_text(hidden[int(piece)])[0] if number % 2 else self._encode_rendered(piece)
        last = pieces[-1]
        end = max((m.end() for m in self._control_pattern.finditer(last)), default=0) if self._control_pattern else 0
        return ids + self._encode_rendered(last[:end]), last[end:], ""

    def _hide_control_texts(self, messages: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str], str]:
        """Put marks in place of the control tokens that users wrote, so that the template cannot revive them."""
        pattern = self._control_pattern
        texts = [m["content"] for m in messages]
        if pattern is None or not any(pattern.search(text) for text in texts):
            return messages, [], ""
        mark = next(c for c in map(chr, range(0xE000, 0xF8FF)) if not any(c in text for text in texts))
        hidden: list[str] = []

        def hide(match: re.Match[str]) -> str:
            hidden.append(match.group())
            return f"{mark}{len(hidden) - 1}{mark}"

        return [{**m, "content": pattern.sub(hide, m["content"])} for m in messages], hidden, mark

    def _plain_prompt(self, prompt: Prompt, context: str | None) -> tuple[list[int], str, str]:
        if not isinstance(prompt, str):
            prompt = "\n".join(message["content"] for message in _as_messages(prompt, None))
        bos = self._leading_ids()
        parts = [context] if context else []
        if prompt.strip():
            parts.append(PLAIN_FORM.format(prompt=prompt))
        return bos, "\n\n".join(parts), " " if parts else ""

    def _leading_ids(self) -> list[int]:
        """What the tokenizer itself puts before a text (BOS, mostly)."""
        with_special = self.tokenizer("a")["input_ids"]
        without = self.tokenizer("a", add_special_tokens=False)["input_ids"]
        return list(with_special[: with_special.index(without[0])]) if without[0] in with_special else []

    def _first_id(self) -> int:
        for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
            if (index := getattr(self.tokenizer, name, None)) is not None:
                return int(index)
        raise InputError("field 'prompt' is empty and the tokenizer has no token to begin with: give a prompt")

    def _join(
        self, head: list[int], tail: str, joiner: str, answer: str
    ) -> tuple[list[int], list[int], list[tuple[int, int]]]:
        """Prompt ids, answer ids, answer offsets: the answer as it continues the prompt's last words.

        Tail and answer are tokenised together, so that the answer's first token is the one that follows text
        (with its space), not the one that begins a text. Where that would merge the two across the border,
        which a model that emits its answer after the prompt cannot do, the answer is tokenised alone.
        """
        tail_ids = self._encode_text(tail)[0] if tail else []
        prefix = tail + joiner
        ids, offsets = self._encode_text(prefix + answer)
        cut, shift = len(tail_ids), len(prefix)
        if ids[:cut] != tail_ids or any(end > len(tail) for _, end in offsets[:cut]):
            ids, offsets = self._encode_text(joiner + answer)
            cut, shift = 0, len(joiner)
        own = [(max(a - shift, 0), max(b - shift, 0)) for a, b in offsets[cut:]]
        return head + tail_ids, ids[cut:], own

    def _encode_rendered(self, text: str) -> list[int]:
        """Text of the template: control tokens are control tokens, and no second BOS is put before them."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []

    def _encode_text(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """A user's text: control tokens written in it are characters."""
        pieces = [text]
        if self._control_pattern and self._control_pattern.search(text):
            ids, offsets = self._encode_plain(text)
            if not set(ids) & set(self.control_ids.values()) - {self.tokenizer.unk_token_id}:
                return ids, offsets
            # not every tokenizer can be told to split special tokens: none finds one that is cut in two
            pieces = _cut_inside(self._control_pattern, text)
        all_ids: list[int] = []
        all_offsets: list[tuple[int, int]] = []
        start = 0
        for piece in pieces:
            ids, offsets = self._encode_plain(piece)
            all_ids += ids
            all_offsets += [(a + start, b + start) for a, b in offsets]
            start += len(piece)
        return all_ids, all_offsets

    def _encode_plain(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        if not text:
            return [], []
        fast = bool(getattr(self.tokenizer, "is_fast", False))
        encoded = self.tokenizer(
            text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=fast
        )
        ids = list(encoded["input_ids"])
        if fast:
            return ids, [(int(a), int(b)) for a, b in encoded["offset_mapping"]]
        return ids, _align(self.tokenizer, ids, text)


def _as_ids(ids: Any) -> list[int]:
    return [int(i) for i in (ids.tolist() if hasattr(ids, "tolist") else ids)]


def _as_messages(prompt: Any, context: str | None) -> list[dict[str, Any]]:
    """Chat messages with text contents; the context goes before the last question."""
    if isinstance(prompt, str):
        messages: list[dict[str, Any]] = [{"role": "user", "content": prompt}]
    else:
        messages = [{**m, "content": _text_of(m["content"])} for m in prompt]
    if context:
        last = messages[-1]
        messages[-1] = {**last, "content": "\n\n".join(t for t in (context, last["content"]) if t)}
    return messages


def _text_of(content: str | Sequence[Mapping[str, str]]) -> str:
    return content if isinstance(content, str) else "\n".join(part["text"] for part in content)


def _cut_inside(pattern: re.Pattern[str], text: str) -> list[str]:
    """Split `text` in the middle of every match, so that no piece holds a whole one."""
    cuts = [0, *(m.start() + max(1, len(m.group()) // 2) for m in pattern.finditer(text)), len(text)]
    return [text[a:b] for a, b in zip(cuts, cuts[1:], strict=False) if a < b]


def decode_with_offsets(tokenizer: Any, ids: Sequence[int]) -> tuple[str, list[tuple[int, int]]]:
    """The text of generated ids and the characters that each one gave.

    Decoded step by step with the tokens before as left context, so that spaces come out as in the whole text;
    a character spread over several tokens belongs to all of them. Special tokens give no characters.

    Returns
    -------
    text : str
    offsets : list of (int, int)
        One for each id, positions in `text`.
    """
    text = ""
    offsets: list[tuple[int, int]] = []
    done = shown = 0  # ids[:done] are written; ids[shown:done] are kept as left context
    for end in range(1, len(ids) + 1):
        known = tokenizer.decode(list(ids[shown:done]), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        longer = tokenizer.decode(list(ids[shown:end]), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        if longer.endswith(_REPLACEMENT) and end < len(ids):
            continue
        new = longer[len(known) :]
        offsets += [(len(text), len(text) + len(new))] * (end - done)
        text += new
        shown, done = done, end
    return text, offsets


def _align(tokenizer: Any, ids: Sequence[int], text: str) -> list[tuple[int, int]]:
    """Offsets in `text` for a tokenizer that gives none: decode, then find each piece in order."""
    decoded, spans = decode_with_offsets(tokenizer, ids)
    position, offsets = 0, []
    for start, end in spans:
        piece = decoded[start:end].strip()
        found = text.find(piece, position) if piece else -1
        if found < 0:
            offsets.append((position, min(position + end - start, len(text))))
        else:
            offsets.append((found, found + len(piece)))
        position = offsets[-1][1]
    return offsets
