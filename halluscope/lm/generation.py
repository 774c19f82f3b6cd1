"""A language model's own answers, greedy or sampled, many prompts at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from halluscope.errors import ContextWindowError, InputError
from halluscope.lm.batching import token_budget_batches
from halluscope.lm.offsets import decode_with_offsets
from halluscope.records import Prompt

if TYPE_CHECKING:
    from halluscope.lm.language_model import LanguageModel

MAX_NEW_TOKENS = 64
TOKEN_BUDGET = 16384
"""Most tokens in a batch, or the model's own budget if that is more: a step reads but one token a row."""


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn; the defaults are those of INSIDE's code (2402.03744).

    Parameters
    ----------
    temperature : float, default 0.5
        Divides the logits.
    top_p : float, default 0.99
        Share of the probability, the most probable tokens first, among which is drawn.
    top_k : int, default 10
        Most tokens among which is drawn.
    seed : int, default 0
        Of the random numbers. Torch's own generators go on afterwards as if nothing had been drawn.
    """

    temperature: float = 0.5
    top_p: float = 0.99
    top_k: int = 10
    seed: int = 0


_INSIDE = Sampling()


@dataclass(frozen=True)
class Generated:
    """What a language model answered.

    Parameters
    ----------
    ids : tuple of int
        The tokens that it emitted, without the one that ended the answer; empty if it ended at once. They can
        be given to a detector as the answer, which is then read exactly as it was written.
    text : str
        The same as text, with the spaces at its ends.
    finished : bool
        Whether the model ended the answer itself; False if it was cut off.
    """

    ids: tuple[int, ...]
    text: str
    finished: bool


def generate_answers(
    lm: LanguageModel,
    prompts: Sequence[Prompt],
    *,
    max_new_tokens: int = MAX_NEW_TOKENS,
    progress: Callable[[int], None] | None = None,
) -> list[Generated]:
    """Let a language model answer prompts, always with its most probable next token.

    A prompt is put to the model as `LanguageModel.tokenize` puts it: the ids that the answer continues are
    those before the answer in any pair of this prompt. A model without a chat template is asked on one line
    and answers on the next (`halluscope.lm.tokens.PLAIN_FORM`): its answer ends with that line, as it mostly
    goes on with further questions, and is empty if it leaves the line empty.

    Prompts of like length share a batch and are padded on the left. Padding does not change what a model
    computes but how it is rounded: in bfloat16, tokens of nearly the same probability change places with the
    company that a prompt is in, and the answers part there. The same prompts in the same order give the same
    answers; load the model in float32 for answers that do not depend on the others.

    Parameters
    ----------
    lm : LanguageModel
        The model; its own settings for generating are set aside meanwhile, but for the tokens that end an
        answer.
    prompts : sequence of str, chat messages or token ids
        What to ask.
    max_new_tokens : int, default 64
        Longest answer, in tokens.
    progress : callable, optional
        Called with the number of prompts done after each batch.

    Returns
    -------
    list of Generated
        One for each prompt, in their order.

    Raises
    ------
    InputError
        If a prompt is not valid, naming it by its number from 1; `ContextWindowError` if the context window
        does not hold it with an answer of `max_new_tokens`.
    """
    greedy = {"do_sample": False, "max_new_tokens": max_new_tokens}
    return [answers[0] for answers in _generate(lm, prompts, 1, greedy, progress)]


def sample_answers(
    lm: LanguageModel,
    prompts: Sequence[Prompt],
    n_samples: int,
    *,
    sampling: Sampling = _INSIDE,
    max_new_tokens: int = MAX_NEW_TOKENS,
    progress: Callable[[int], None] | None = None,
) -> list[list[Generated]]:
    """Let a language model answer each prompt several times, with tokens drawn from its distribution.

    Parameters
    ----------
    lm, prompts, max_new_tokens, progress
        As for `generate_answers`. The samples of a prompt share a batch. What is drawn depends on that
        batch: the same prompts in the same order give the same answers, other company gives others.
    n_samples : int
        Answers to each prompt.
    sampling : Sampling, optional
        How tokens are drawn.

    Returns
    -------
    list of list of Generated
        For each prompt, in their order, its `n_samples` answers.

    Raises
    ------
    InputError
        As for `generate_answers`, and for fewer samples than one.
    """
    if n_samples < 1:
        raise InputError(f"n_samples must be at least 1, not {n_samples}")
    drawn = {
        "do_sample": True,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "num_return_sequences": n_samples,
        "max_new_tokens": max_new_tokens,
    }
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(sampling.seed)
        return _generate(lm, prompts, n_samples, drawn, progress)


def _generate(
    lm: LanguageModel,
    prompts: Sequence[Prompt],
    n_samples: int,
    settings: dict[str, Any],
    progress: Callable[[int], None] | None,
) -> list[list[Generated]]:
    """Answers to each prompt, in batches within a token budget."""
    longest: int = settings["max_new_tokens"]
    if longest < 1:
        raise InputError(f"max_new_tokens must be at least 1, not {longest}")
    asked = [_tokenize(lm, prompt, number, longest) for number, prompt in enumerate(prompts, start=1)]
    found: dict[int, list[Generated]] = {}
    sizes = [n_samples * (len(ids) + longest) for ids in asked]
    for indices in token_budget_batches(sizes, max(lm.token_budget, TOKEN_BUDGET)):
        rows = _continue(lm, [asked[index] for index in indices], settings)
        found.update((index, rows[n * n_samples : (n + 1) * n_samples]) for n, index in enumerate(indices))
        if progress is not None:
            progress(len(indices))
    return [found[index] for index in range(len(asked))]


def _tokenize(lm: LanguageModel, prompt: Prompt, number: int, max_new_tokens: int) -> tuple[int, ...]:
    try:
        ids = lm.tokenize_prompt(prompt)
        if lm.context_window is not None and len(ids) + max_new_tokens > lm.context_window:
            raise ContextWindowError(len(ids) + max_new_tokens, lm.context_window)
    except InputError as error:
        error.args = (f"prompt {number}: {error}",)
        raise
    return ids


def _continue(lm: LanguageModel, prompts: list[tuple[int, ...]], settings: dict[str, Any]) -> list[Generated]:
    """One batch, generated and cut where the answers end; the answers to a prompt follow each other."""
    width = max(map(len, prompts))
    ends = _end_ids(lm)
    padding = _padding_id(lm, ends)
    ids = torch.tensor([[padding] * (width - len(row)) + list(row) for row in prompts])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompts])
    one_line = not lm.tokenizer.chat_template
    criteria = [_line_ended(lm.tokenizer, width)] if one_line else []
    config = {**settings, "eos_token_id": ends or None, "pad_token_id": padding}
    with lm.evaluating(), _own_settings_aside(lm.model, config), torch.inference_mode():
        output = lm.model.generate(
            ids.to(lm.device), attention_mask=mask.to(lm.device), stopping_criteria=criteria
        )
    return [_cut(lm.tokenizer, row, ends, one_line) for row in output[:, width:].tolist()]


def _end_ids(lm: LanguageModel) -> list[int]:
    """Tokens that end an answer: the model's own list (a turn of a chat may have its own) and EOS."""
    own = getattr(lm.model.generation_config, "eos_token_id", None)
    listed = own if isinstance(own, (list, tuple)) else [own]
    return sorted({int(end) for end in (*listed, lm.tokenizer.eos_token_id) if end is not None})


def _padding_id(lm: LanguageModel, ends: list[int]) -> int:
    """Any token will do where no attention goes; behind an end nothing is read."""
    own = lm.tokenizer.pad_token_id
    return int(own) if own is not None else ends[0] if ends else 0


@contextmanager
def _own_settings_aside(model: Any, settings: dict[str, Any]) -> Iterator[None]:
    """Set a model's settings for generating aside: they fill in whatever a call of its own leaves open.

    A model that was published with a repetition penalty, say, would else give other answers than its own most
    probable ones.
    """
    from transformers import GenerationConfig

    before = model.generation_config
    model.generation_config = GenerationConfig(num_beams=1, use_cache=True, **settings)
    try:
        yield
    finally:
        model.generation_config = before


def _line_ended(tokenizer: Any, width: int) -> Callable[..., Tensor]:
    """A stopping criterion: a row is done when its answer's line is."""

    def criterion(ids: Tensor, scores: Any, **options: Any) -> Tensor:
        texts = (tokenizer.decode(row, skip_special_tokens=True) for row in ids[:, width:].tolist())
        return torch.tensor(["\n" in text for text in texts], device=ids.device)

    return criterion


def _cut(tokenizer: Any, ids: list[int], ends: list[int], one_line: bool) -> Generated:
    end = next((place for place, index in enumerate(ids) if index in ends), len(ids))
    finished = end < len(ids)
    ids = ids[:end]
    text, offsets = decode_with_offsets(tokenizer, ids)
    if one_line and "\n" in text:
        # a token that holds the line's last character and the break cannot be cut in two: it goes
        kept = sum(stop <= text.index("\n") for _, stop in offsets)
        ids, text, finished = ids[:kept], text[: offsets[kept][0]], True
    return Generated(tuple(ids), text, finished)
