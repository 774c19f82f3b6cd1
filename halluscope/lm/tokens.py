"""From a prompt and an answer to the tokens that the model would have read and emitted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from halluscope.errors import ContextWindowError, InputError
from halluscope.fields import check_answer, check_context, check_prompt, is_token_ids
from halluscope.lm.encoding import TextEncoder
from halluscope.lm.messages import HiddenControls, as_messages
from halluscope.lm.offsets import decode_with_offsets
from halluscope.lm.primer import LEAD, Primer, PrimerEncoder, PrimerOpening
from halluscope.records import Answer, Prompt

PLAIN_FORM = "Question: {prompt}\nAnswer:"
"""How a prompt is put to a model without a chat template; the answer follows after a space."""


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
    primed : int
        How many of the first ids are a primer's, which other pairs share; 0 without a primer.
    """

    ids: tuple[int, ...]
    start: int
    tokens: tuple[str, ...]
    offsets: tuple[tuple[int, int], ...]
    answer: str
    primed: int = 0

    @property
    def primer(self) -> tuple[int, ...]:
        """Ids of the primer, none without one."""
        return self.ids[: self.primed]


@dataclass(frozen=True)
class _Opening:
    """What stands before an answer: ids that are settled, and text to be tokenised together with the answer.

    Parameters
    ----------
    ids : list of int
        Up to the last control token.
    anchor : str
        That control token, if it is one: some tokenizers treat text behind it unlike text at a beginning.
    tail : str
        The text after it.
    joiner : str
        What the answer brings along to follow on the tail: a space, or nothing.
    """

    ids: list[int]
    anchor: str = ""
    tail: str = ""
    joiner: str = ""


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
    vocabulary_size : callable, optional
        Gives the number of token ids that the model has embeddings for; not checked if None.
    """

    def __init__(
        self,
        tokenizer: Any,
        context_window: int | None = None,
        vocabulary_size: Callable[[], int] | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self._encoder = TextEncoder(tokenizer)
        self.context_window = context_window
        self.vocabulary_size = vocabulary_size
        self._primer = PrimerEncoder(self._encoder, context_window)

    def __call__(
        self, prompt: Prompt, answer: Answer, context: str | None = None, *, primer: Primer = ()
    ) -> TokenizedPair:
        """Tokenise one pair.

        Parameters
        ----------
        prompt : str, chat messages or token ids
            Empty text for a bare statement. Token ids are taken as they are.
        answer : str or token ids
            Token ids of a real generation are taken as they are.
        context : str, optional
            Reference text, placed before the question.
        primer : sequence of (str, str), default ()
            What the pair is put behind, see `halluscope.lm.primer`. An answer given as text then follows on
            `LEAD`, as those of the primer do.

        Raises
        ------
        InputError
            For a blank answer, a prompt of another kind, or token ids that the model does not have.
        ContextWindowError
            If the pair is longer than the context window.
        """
        check_prompt(prompt)
        check_answer(answer)
        check_context(context)
        opening = self._opening(prompt, context)
        before = self._primer(primer)
        if isinstance(answer, str):
            if before.ids:
                opening = replace(opening, tail=opening.tail + LEAD, joiner=" ")
            prompt_ids, answer_ids, offsets = self._join(opening, answer)
            text = answer
        else:
            prompt_ids = self._ids_before(opening)
            answer_ids = _as_ids(answer)
        if not answer_ids:
            raise InputError("field 'answer' has no tokens in this model's vocabulary")
        if not prompt_ids:
            prompt_ids = [self._first_id()]
        self._check_ids((*prompt_ids, *answer_ids))
        if not isinstance(answer, str):
            text, offsets = decode_with_offsets(self.tokenizer, answer_ids)
        pair = TokenizedPair(
            ids=(*prompt_ids, *answer_ids),
            start=len(prompt_ids),
            tokens=tuple(text[a:b] for a, b in offsets),
            offsets=tuple(offsets),
            answer=text,
        )
        return self._put_behind(before, pair) if before.ids else pair

    def prompt(self, prompt: Prompt, context: str | None = None) -> tuple[int, ...]:
        """Tokens of a prompt alone, with which every pair of this prompt begins.

        Parameters
        ----------
        prompt, context
            As for a pair.

        Raises
        ------
        InputError, ContextWindowError
            As for a pair.
        """
        check_prompt(prompt)
        check_context(context)
        ids = self._ids_before(self._opening(prompt, context)) or [self._first_id()]
        self._check_ids(ids)
        return tuple(ids)

    def _put_behind(self, before: PrimerOpening, pair: TokenizedPair) -> TokenizedPair:
        """Put a primer before a pair, without what both begin with.

        A prompt that begins in another way, as with a user's own system message, follows on the primer whole,
        but for a token that stands at the very beginning of texts only.
        """
        shared, own = before.shared, pair.ids
        if own[: len(shared)] == shared:
            own = own[len(shared) :]
        elif pair.start > 1 and own[0] == before.ids[0] and before.ids.count(own[0]) == 1:
            own = own[1:]
        more = len(before.ids) - (len(pair.ids) - len(own))
        if self.context_window is not None and len(pair.ids) + more > self.context_window:
            raise ContextWindowError(len(pair.ids), self.context_window, primer=more)
        start = pair.start + more
        # the token before the answer is the pair's own, whatever the prompt
        return replace(pair, ids=(*before.ids, *own), start=start, primed=min(len(before.ids), start - 1))

    def _ids_before(self, opening: _Opening) -> list[int]:
        return opening.ids + self._encoder.encode_text(opening.tail, opening.anchor)[0]

    def _check_ids(self, ids: Sequence[int]) -> None:
        if self.context_window is not None and len(ids) > self.context_window:
            raise ContextWindowError(len(ids), self.context_window)
        size = None if self.vocabulary_size is None else self.vocabulary_size()
        for index in (min(ids), max(ids)):
            if index < 0 or (size is not None and index >= size):
                raise InputError(
                    f"token id {index} is not in the model's vocabulary of {size} tokens: "
                    "the ids or the tokenizer are another model's"
                )

    def _opening(self, prompt: Prompt, context: str | None) -> _Opening:
        if is_token_ids(prompt):
            if context:
                raise InputError("field 'context' cannot be placed in a prompt given as token ids")
            ids = _as_ids(prompt)
            names = {index: text for text, index in self._encoder.control_ids.items()}
            return _Opening(ids, anchor=names.get(ids[-1], ""))
        if self.tokenizer.chat_template:
            return self._chat_opening(as_messages(prompt, context))
        return self._plain_opening(prompt, context)

    def _chat_opening(self, messages: list[dict[str, Any]]) -> _Opening:
        hiding = HiddenControls(self._encoder.control_pattern, messages)
        rendered = self._encoder.render(hiding.messages)
        # the template's own control tokens take turns with the text around them
        *head, tail = self._encoder.control_pattern.split(rendered)
        anchor = head[-1] if head else ""
        if not hiding.hidden:
            return _Opening(self._encoder.encode_rendered("".join(head)), anchor, tail)
        ids: list[int] = []
        before = ""
        for text, control in zip(head[::2], head[1::2], strict=True):
            ids += self._encoder.encode_text(hiding.reveal(text), before)[0]
            ids.append(self._encoder.control_ids[control])
            before = control
        return _Opening(ids, anchor, hiding.reveal(tail))

    def _plain_opening(self, prompt: Prompt, context: str | None) -> _Opening:
        if not isinstance(prompt, str):
            prompt = "\n".join(message["content"] for message in as_messages(prompt, None))
        parts = [context] if context else []
        if prompt.strip():
            parts.append(PLAIN_FORM.format(prompt=prompt))
        return _Opening(self._leading_ids(), tail="\n\n".join(parts), joiner=" " if parts else "")

    def _leading_ids(self) -> list[int]:
        """What the tokenizer itself puts before a text (BOS, mostly)."""
        with_special = self.tokenizer("a")["input_ids"]
        without = self.tokenizer("a", add_special_tokens=False)["input_ids"]
        ends = [i for i in range(len(with_special)) if with_special[i : i + len(without)] == without]
        return list(with_special[: ends[0]]) if without and ends else []

    def _first_id(self) -> int:
        for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
            if (index := getattr(self.tokenizer, name, None)) is not None:
                return int(index)
        raise InputError(
            "field 'prompt' is empty and the tokenizer has no token to begin with: give a prompt"
        )

    def _join(self, opening: _Opening, answer: str) -> tuple[list[int], list[int], list[tuple[int, int]]]:
        """Prompt ids, answer ids, answer offsets: the answer as it continues the prompt's last words.

        Tail and answer are tokenised together, so that the answer's first token is the one that follows text
        (with its space), not the one that begins a text. Where that would merge the two across the border,
        which a model that emits its answer after the prompt cannot do, the answer is tokenised alone.
        """
        tail, joiner = opening.tail, opening.joiner
        tail_ids = self._encoder.encode_text(tail, opening.anchor)[0]
        ids, offsets = self._encoder.encode_text(tail + joiner + answer, opening.anchor)
        cut, shift = len(tail_ids), len(tail + joiner)
        if ids[:cut] != tail_ids or any(end > len(tail) for _, end in offsets[:cut]):
            ids, offsets = self._encoder.encode_text(joiner + answer)
            cut, shift = 0, len(joiner)
        own = [(max(a - shift, 0), max(b - shift, 0)) for a, b in offsets[cut:]]
        return opening.ids + tail_ids, ids[cut:], own


def _as_ids(ids: Any) -> list[int]:
    return [int(i) for i in (ids.tolist() if hasattr(ids, "tolist") else ids)]
