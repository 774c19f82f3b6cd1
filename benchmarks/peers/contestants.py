"""How each library scores given answers, as its own documentation says.

A contestant takes the folder of a language model and a dtype, and gives a function from pairs to scores. What
it scores with, its probe, is fitted on noise or on a few pairs with labels in turn: what it costs can be
compared, what it says cannot. Libraries are imported where they are used: each environment has some of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

BATCH = 16
Pair = dict[str, Any]
"""``prompt``, ``answer`` and ``text``, the two as the model reads them; ``prompt_ids``, ``answer_ids``."""
Score = Callable[[Sequence[Pair]], Any]
Contestant = Callable[[str, str], Score]


class _Enough(Exception):  # noqa: N818 - no error: the layers behind are not needed
    """Stops a forward pass."""


def load(folder: str, dtype: str) -> tuple[Any, Any]:
    """Model and tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer


def usual_loop(folder: str, dtype: str) -> Score:
    """One pair at a time, all hidden states copied to NumPy; the mean of the last one stands for a score."""
    model, _ = load(folder, dtype)

    def score(pairs: Sequence[Pair]) -> list[float]:
        found = []
        for pair in pairs:
            ids = torch.tensor([[*pair["prompt_ids"], *pair["answer_ids"]]])
            with torch.inference_mode():
                states = model(ids, output_hidden_states=True).hidden_states
            found.append(float([state[0].float().numpy() for state in states][-1].mean()))
        return found

    return score


def bare_forward(folder: str, dtype: str) -> Score:
    """One pair at a time, the forward pass alone; a logit stands for a score."""
    model, _ = load(folder, dtype)

    def score(pairs: Sequence[Pair]) -> list[float]:
        sequences = ([*pair["prompt_ids"], *pair["answer_ids"]] for pair in pairs)
        with torch.inference_mode():
            return [float(model(torch.tensor([ids])).logits[0, -1, 0]) for ids in sequences]

    return score


def halluscope(folder: str, dtype: str, *, primed: bool = True) -> Score:
    """The shipped detector."""
    from benchmarks.speed import without_primer
    from halluscope import Detector, LanguageModel
    from halluscope.detector.shipped import shipped_detector

    name = Path(folder).name
    lm = LanguageModel.from_pretrained(name, dtype=getattr(torch, dtype))
    detector = Detector.load(shipped_detector(name), lm).set_params(progress=False)
    detector = detector if primed else without_primer(detector)

    def score(pairs: Sequence[Pair]) -> Any:
        return detector.predict_proba([{"prompt": p["prompt"], "answer": p["answer"]} for p in pairs])[:, 1]

    return score


def probelab(folder: str, dtype: str, *, share: float | None = None) -> Score:
    """Probelab's logistic probes on states from hooks, which its README names as a source.

    Batches of like length, the decoder without logits, the answer's mean taken inside the hooks: its own
    collector needs mirin, which is not on PyPI. All layers, or one at a share of the depth, where the pass
    ends.
    """
    import probelab as library

    model, tokenizer = load(folder, dtype)
    blocks = list(model.model.layers)
    layers = list(range(len(blocks))) if share is None else [int(share * len(blocks))]
    rng = np.random.default_rng(0)
    noise = torch.tensor(rng.normal(size=(64, model.config.hidden_size)), dtype=torch.float32)
    probes = [library.probes.Logistic().fit(_activations(library, noise), [0, 1] * 32) for _ in layers]

    def score(pairs: Sequence[Pair]) -> Any:
        pooled = torch.empty(len(layers), len(pairs), model.config.hidden_size)
        for places, ids, mask, answers in _batches(pairs, tokenizer.pad_token_id):

            def pool(
                number: int, _: Any, __: Any, output: Any, places: Any = places, answers: Any = answers
            ) -> None:
                states = output[0] if isinstance(output, tuple) else output
                weights = answers.to(states.dtype)
                pooled[number, places] = (weights[:, None] @ states)[:, 0].float()
                if number == len(layers) - 1 and share is not None:
                    raise _Enough

            hooks = [
                blocks[layer].register_forward_hook(partial(pool, number))
                for number, layer in enumerate(layers)
            ]
            try:
                with torch.inference_mode():
                    model.model(input_ids=ids, attention_mask=mask, use_cache=False)
            except _Enough:
                pass
            finally:
                for hook in hooks:
                    hook.remove()
        said = [
            probe.predict(_activations(library, states)) for probe, states in zip(probes, pooled, strict=True)
        ]
        return torch.stack([torch.as_tensor(each).float() for each in said]).mean(dim=0).numpy()

    return score


def probelab_collector(folder: str, dtype: str) -> Score:
    """Probelab with its own collector."""
    from mirin import Model
    from probelab.collection.mirin import collect_activations

    return partial(collect_activations, Model(*load(folder, dtype)))


def concept_probes(folder: str, dtype: str) -> Score:
    """Mean states of all layers, a linear probe on each, by concept-probes."""
    from concept_probes.extraction import ActivationExtractor, resolve_layers
    from concept_probes.probe import LinearProbe

    model, tokenizer = load(folder, dtype)
    extractor = ActivationExtractor(model, tokenizer, resolve_layers(model, "all"), token_position="mean")  # noqa: S106
    weights = np.random.default_rng(0).normal(size=model.config.hidden_size)
    probe = LinearProbe(weights, 0.0)

    def score(pairs: Sequence[Pair]) -> Any:
        states = extractor.extract([pair["text"] for pair in pairs], batch_size=BATCH)
        return np.mean([probe.score_activations(layer) for layer in states.values()], axis=0)

    return score


def lm_polygraph(folder: str, dtype: str) -> Score:
    """Mahalanobis distance of the last layer, over prompt and answer as input text, by lm-polygraph.

    It has no call for a given answer; one token more is generated.
    """
    from lm_polygraph.estimators.mahalanobis_distance import MahalanobisDistanceSeq
    from lm_polygraph.model_adapters.whitebox_model_basic import WhiteboxModelBasic
    from lm_polygraph.stat_calculators.infer_causal_lm_calculator import InferCausalLMCalculator

    model, tokenizer = load(folder, dtype)
    tokenizer.padding_side = "left"
    adapter = WhiteboxModelBasic(model, tokenizer, {"add_special_tokens": False}, {"do_sample": False})
    calculate = InferCausalLMCalculator(tokenize=True)
    estimate = MahalanobisDistanceSeq("decoder")
    training = np.random.default_rng(0).normal(size=(64, model.config.hidden_size)).astype(np.float32)

    def score(pairs: Sequence[Pair]) -> Any:
        found = []
        for start in range(0, len(pairs), BATCH):
            texts = [pair["text"] for pair in pairs[start : start + BATCH]]
            with torch.inference_mode():
                stats = calculate({}, texts, adapter, max_new_tokens=1)
            stats["embeddings_decoder"] = stats["embeddings_decoder"].float()
            found.append(estimate({**stats, "train_embeddings_decoder": torch.from_numpy(training)}))
        return np.concatenate(found)

    return score


def truth_torch_lm(folder: str, dtype: str) -> Score:
    """TruthTorchLM's SAPLMA: one layer, one pair at a time; it has no batches."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it is downloaded at import
    from sklearn.neural_network import MLPClassifier
    from TruthTorchLM.generation import run_truth_methods
    from TruthTorchLM.truth_methods import SAPLMA

    model, tokenizer = load(folder, dtype)
    noise = np.random.default_rng(0).normal(size=(64, model.config.hidden_size)).astype(np.float32)
    network = MLPClassifier((256, 128, 64), max_iter=20).fit(noise, np.arange(64) % 2)
    method = SAPLMA(network, layer_index=int(2 / 3 * len(model.model.layers)))

    def score(pairs: Sequence[Pair]) -> list[float]:
        found = []
        for pair in pairs:
            said = run_truth_methods(
                model,
                [{"role": "user", "content": str(pair["prompt"])}],
                question=str(pair["prompt"]),
                truth_methods=[method],
                tokenizer=tokenizer,
                text=pair["text"],
                generated_text=str(pair["answer"]),
                model_output=torch.tensor([[*pair["prompt_ids"], *pair["answer_ids"]]]),
            )
            found.append(float(said["unnormalized_truth_values"][0]))
        return found

    return score


CONTESTANTS: dict[str, tuple[str, bool, Contestant]] = {
    "halluscope": ("all layers", True, halluscope),
    "halluscope, no primer": ("all layers", True, partial(halluscope, primed=False)),
    "usual loop": ("all layers", True, usual_loop),
    "bare forward": ("nothing", True, bare_forward),
    "probelab, all layers": ("all layers", False, probelab),
    "probelab, one layer": ("two thirds of the layers", False, partial(probelab, share=2 / 3)),
    "probelab with its own collector": ("all layers", False, probelab_collector),
    "concept-probes": ("all layers", False, concept_probes),
    "lm-polygraph": ("the last layer", False, lm_polygraph),
    "TruthTorchLM SAPLMA": ("one layer", False, truth_torch_lm),
}
"""What each reads, whether it runs in the project's own environment, and how it is made."""


def _activations(library: Any, states: torch.Tensor) -> Any:
    return library.Activations(states, dims="bh")


def _batches(pairs: Sequence[Pair], padding: int) -> Iterator[tuple[list[int], Any, Any, Any]]:
    """Places of the pairs, padded ids, their mask, and the weights of the answers' tokens."""
    sequences = [[*pair["prompt_ids"], *pair["answer_ids"]] for pair in pairs]
    order = sorted(range(len(pairs)), key=lambda place: len(sequences[place]))
    for start in range(0, len(order), BATCH):
        places = order[start : start + BATCH]
        width = len(sequences[places[-1]])
        ids = torch.full((len(places), width), padding)
        mask = torch.zeros((len(places), width), dtype=torch.long)
        answers = torch.zeros((len(places), width))
        for row, place in enumerate(places):
            n, begun = len(sequences[place]), len(pairs[place]["prompt_ids"])
            ids[row, :n] = torch.tensor(sequences[place])
            mask[row, :n] = 1
            answers[row, begun:n] = 1 / (n - begun)
        yield places, ids, mask, answers
