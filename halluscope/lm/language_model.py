"""A causal language model with its tokenizer, ready to be looked into."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from halluscope.errors import InputError, ModelError
from halluscope.lm.anatomy import Anatomy, all_modules, find_anatomy, running_device
from halluscope.lm.attention import ATTENTION_TOKEN_BUDGET, BlockAttention, visit_attention
from halluscope.lm.batching import token_budget_batches
from halluscope.lm.beginning import Passing
from halluscope.lm.catalogue import DEFAULT_MODEL, absolute_name
from halluscope.lm.encoding import state_of_tokenizer
from halluscope.lm.fingerprint import fingerprint
from halluscope.lm.loading import load_pretrained
from halluscope.lm.packer import Batch, Packer
from halluscope.lm.primer import Primer
from halluscope.lm.recording import LayerState, collate, visit_layers
from halluscope.lm.tokens import PairTokenizer, TokenizedPair
from halluscope.lm.weights import state_of_weights
from halluscope.records import Answer, Pair, Prompt, as_pairs

if TYPE_CHECKING:
    from halluscope.surfaces import Measure, Surface

_CPU_TOKEN_BUDGET = 1024
_DEVICE_TOKEN_BUDGET = 16384
_NO_LIMIT = 10**9  # tokenizers without a limit claim 1e30 tokens


class LanguageModel:
    """A transformers causal language model and its tokenizer.

    Parameters
    ----------
    model : PreTrainedModel
        Any decoder-only language model that transformers loads; used where it is, in its dtype. Of one that
        ``torch.compile`` has wrapped, what is inside; passes that are looked into run uncompiled.
    tokenizer : PreTrainedTokenizer
        Its tokenizer.
    name : str, optional
        What to call it in results; the configuration's own name if not given.
    token_budget : int, optional
        Most tokens in one padded batch; 1024 on a CPU, 16384 on other devices.

    Raises
    ------
    ModelError
        If the model is not a decoder-only causal language model, or the tokenizer is none.
    """

    def __init__(
        self, model: Any, tokenizer: Any, *, name: str | None = None, token_budget: int | None = None
    ) -> None:
        model = getattr(model, "_orig_mod", model)
        if not callable(tokenizer) or not hasattr(tokenizer, "convert_ids_to_tokens"):
            raise ModelError(
                f"{type(tokenizer).__name__} is not a transformers tokenizer: pass what AutoTokenizer loads"
            )
        self.model = model
        self.tokenizer = tokenizer
        self.name = name or str(
            getattr(getattr(model, "config", None), "_name_or_path", "") or type(model).__name__
        )
        self._anatomy: Anatomy = find_anatomy(model)
        self.token_budget = token_budget or (
            _CPU_TOKEN_BUDGET if self.device.type == "cpu" else _DEVICE_TOKEN_BUDGET
        )
        self._fingerprinted: tuple[tuple[Any, ...], str] = ((), "")
        self._make_unshared()

    @classmethod
    def from_pretrained(cls, name: str | Path = DEFAULT_MODEL, **kwargs: Any) -> LanguageModel:
        """Load a language model by name.

        Parameters
        ----------
        name : str or path
            A known name (``smollm2-135m-instruct``, ``gemma-3-270m``; brought onto the machine first if it is
            not there), a model id on the hub, or a folder.
        **kwargs
            Passed on to transformers' ``AutoModelForCausalLM.from_pretrained``: ``dtype``, ``device_map``,
            ``quantization_config``, ``revision``, ``trust_remote_code`` (False unless given) and so on. With
            none of them that says where or how to compute, a known name loads in bfloat16, or in float32 on
            an x86 processor without AVX-512, which computes it more than twice as fast.

        Raises
        ------
        ModelError
            If there is no such model, or transformers cannot load it.
        """
        model, tokenizer = load_pretrained(name, **kwargs)
        return cls(model, tokenizer, name=absolute_name(str(name)))

    @property
    def anatomy(self) -> Anatomy:
        """The model's parts; looked for again where its unembedding has been replaced."""
        if self._anatomy.unembed.unembedding is not self.model.get_output_embeddings():
            self._anatomy = find_anatomy(self.model)
        return self._anatomy

    @property
    def device(self) -> Any:
        """Where the embeddings are."""
        return running_device(self.model.get_input_embeddings())

    @property
    def n_layers(self) -> int:
        """Rows of a surface: decoder blocks + 1."""
        return len(self.anatomy.blocks) + 1

    @property
    def hidden_size(self) -> int:
        """Width of the residual stream."""
        return int(self.model.config.get_text_config(decoder=True).hidden_size)

    @property
    def context_window(self) -> int | None:
        """Longest sequence that the model reads, in tokens; None if it has no limit."""
        window = getattr(self.model.config.get_text_config(decoder=True), "max_position_embeddings", None)
        window = window or getattr(self.tokenizer, "model_max_length", None)
        return int(window) if window and window < _NO_LIMIT else None

    @property
    def _vocabulary_size(self) -> int:
        return int(self.model.get_input_embeddings().weight.shape[0])

    @property
    def fingerprint(self) -> str:
        """Digest by which a detector knows this model; the same in every dtype, not once trained on."""
        state = self._state()
        if state != self._fingerprinted[0]:
            # a pass of another thread must not meet weights on the move, nor its words the tokenizer in use
            with self._recording, self._tokenizing:
                self._fingerprinted = (self._state(), fingerprint(self.model, self.tokenizer))
        return self._fingerprinted[1]

    def _state(self) -> tuple[Any, ...]:
        """Changes with all that the fingerprint is of."""
        return (*state_of_weights(self.model), state_of_tokenizer(self.tokenizer))

    def tokenize(
        self, prompt: Prompt, answer: Answer, context: str | None = None, *, primer: Primer = ()
    ) -> TokenizedPair:
        """Tokens of one pair, as `PairTokenizer` makes them; behind a primer if one is given."""
        with self._tokenizing:
            return self._tokenize(prompt, answer, context, primer=primer)

    def tokenize_prompt(self, prompt: Prompt, context: str | None = None) -> tuple[int, ...]:
        """Token ids with which `tokenize` begins every pair of this prompt."""
        with self._tokenizing:
            return self._tokenize.prompt(prompt, context)

    def tokenize_pairs(self, pairs: Sequence[Pair], *, primer: Primer = ()) -> list[TokenizedPair]:
        """Tokens of many pairs, each behind a primer if given; an error names the pair."""
        return [self._tokenize_named(pair, primer) for pair in pairs]

    def _tokenize_named(self, pair: Pair, primer: Primer) -> TokenizedPair:
        try:
            return self.tokenize(pair.prompt, pair.answer, pair.context, primer=primer)
        except InputError as error:
            error.args = (f"{pair.where}: {error}",)
            raise

    def visit(
        self,
        pairs: Sequence[TokenizedPair],
        visitor: Callable[[list[int]], Callable[[LayerState], None]],
        *,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Run pairs through the model in batches and show each layer's state to a visitor.

        Parameters
        ----------
        pairs : sequence of TokenizedPair
            In any order; batched within the token budget. What several of them begin with is read once.
        visitor : callable
            Called with the indices of a batch's pairs; returns what is called with each `LayerState`. A batch
            that memory does not suffice for is halved and begun anew.
        progress : callable, optional
            Called with the number of pairs done after each batch.

        Raises
        ------
        ActivationError
            If a state is NaN or infinite.
        ModelError
            If the blocks do not hand one residual stream from one to the next.
        torch.OutOfMemoryError
            If memory does not suffice for a single pair.
        """
        with self.evaluating():
            waiting = deque(self._packer.plan(pairs, self.token_budget))
        most = len(pairs)  # in a batch, once one of more has been too many
        passing = Passing()
        while waiting:
            batch = waiting.popleft()
            if len(batch.indices) > most:
                waiting.extendleft(reversed(batch.halves()))
            elif not self._show(pairs, batch, passing, visitor):
                most = len(batch.indices) // 2
                waiting.appendleft(batch)
            elif progress is not None:
                progress(len(batch.indices))

    def _show(
        self,
        pairs: Sequence[TokenizedPair],
        batch: Batch,
        passing: Passing,
        visitor: Callable[[list[int]], Callable[[LayerState], None]],
    ) -> bool:
        """Whether memory sufficed to run a batch; one pair that it does not suffice for is an error."""
        try:
            with self.evaluating():
                tokens, options = self._packer(pairs, batch, passing)
                visit_layers(self.anatomy, tokens, visitor(batch.indices), **options)
        except torch.OutOfMemoryError:
            if len(batch.indices) == 1:
                raise
        else:
            return True
        if self.device.type == "cuda":  # behind the handler, which kept the pass' tensors alive
            torch.cuda.empty_cache()
        return False

    def visit_attention(
        self,
        pairs: Sequence[TokenizedPair],
        visitor: Callable[[list[int]], Callable[[BlockAttention], None]],
        *,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Run pairs through the model in batches and show each block's attention weights to a visitor.

        Parameters
        ----------
        pairs, progress
            As for `visit`.
        visitor : callable
            Called with the indices of a batch's pairs; returns what is called with each `BlockAttention`.

        Raises
        ------
        InputError
            If a block gives no attention weights.
        """
        budget = min(self.token_budget, ATTENTION_TOKEN_BUDGET)
        for indices in token_budget_batches([len(pair.ids) for pair in pairs], budget):
            batch = collate([pairs[i] for i in indices])
            # the model is switched for each batch anew, under the lock: other threads never meet it switched
            with self.evaluating():
                visit_attention(self.model, self.anatomy, batch, visitor(indices))
            if progress is not None:
                progress(len(indices))

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Hold the model for one pass: dropout is off, and other threads wait with theirs."""
        # hooks sit on the one model: two threads recording at once would see each other's states
        with self._recording:
            modules = all_modules(self.model)
            training = [module for module in modules if module.training]
            compiled = [(m, m._compiled_call_impl) for m in modules if m._compiled_call_impl is not None]
            try:
                for module in training:
                    module.training = False
                for module, _ in compiled:  # hooks do not compile
                    module._compiled_call_impl = None
                yield
            finally:  # on again only where it was on
                for module in training:
                    module.training = True
                for module, call in compiled:
                    module._compiled_call_impl = call

    def surface(
        self,
        prompt: Prompt,
        answer: Answer,
        context: str | None = None,
        measures: Sequence[Measure] | None = None,
    ) -> Surface:
        """The surface of one answer, without any detector.

        Parameters
        ----------
        prompt, answer, context
            As for `tokenize`.
        measures : sequence of Measure, optional
            The channels; norm, step, turn, lens and entropy by default.

        Returns
        -------
        Surface

        Raises
        ------
        InputError
            For a blank answer, a prompt of another kind, token ids that the model does not have, or measures
            that give something else than channels x tokens; `ContextWindowError` for a pair that is too long.
        ActivationError, ModelError
            As for `visit`.
        """
        from halluscope.surfaces import record_surfaces  # a door to a later stage: see CONTRIBUTING

        (pair,) = as_pairs([{"prompt": prompt, "answer": answer, "context": context}])
        return record_surfaces(self, self.tokenize_pairs([pair]), measures)[0]

    def __sklearn_clone__(self) -> LanguageModel:
        """A language model is not a setting to be copied: clones of a detector share it."""
        return self

    def __getstate__(self) -> dict[str, Any]:
        # locks do not travel between processes, and beginnings are soon computed
        unshared = ("_recording", "_tokenizing", "_tokenize", "_packer")
        return {key: value for key, value in self.__dict__.items() if key not in unshared}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make_unshared()

    def _make_unshared(self) -> None:
        self._recording = threading.RLock()
        self._tokenizing = threading.RLock()  # fast tokenizers refuse to be set and used at the same time
        self._tokenize = PairTokenizer(self.tokenizer, self.context_window, lambda: self._vocabulary_size)
        self._packer = Packer(self.model, self.anatomy, self.context_window)

    def __repr__(self) -> str:
        return f"LanguageModel({self.name!r}, {self.n_layers - 1} blocks of width {self.hidden_size})"


def check_language_model(lm: Any) -> LanguageModel:
    """The language model itself; `InputError` if it is something else."""
    if not isinstance(lm, LanguageModel):
        raise InputError(
            f"parameter 'lm' must be a LanguageModel, not {type(lm).__name__}: "
            "wrap what you have loaded as halluscope.LanguageModel(model, tokenizer)"
        )
    return lm
