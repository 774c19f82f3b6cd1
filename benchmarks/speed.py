"""What does a verdict cost? ``python -m benchmarks.speed --data DIR``.

Times the shipped detector side by side with what reading an answer costs anyway: the bare forward pass over
the same tokens, and the usual loop of one pair at a time with all hidden states copied to NumPy. One warm
call for prompts and answers of several lengths, files of pairs with two answers to a prompt, and with one
answer and nothing in common, and training against two such passes. Contestants take turns in one process;
what counts are the ratios within a round, of which the median is reported. Nothing else should be at work on
the machine. Writes ``benchmarks/results/speed/MODEL.json`` after each part, keeping what it holds of another
dtype.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from halluscope import Detector, LanguageModel
from halluscope.detector.shipped import shipped_detector
from halluscope.files import written_whole
from halluscope.lm.catalogue import DEFAULT_MODEL, KNOWN_MODELS
from halluscope.progress import progress_bar
from halluscope.records import Pair, as_pairs, read_records

RESULTS = Path(__file__).parent / "results" / "speed"
PROMPTS, ANSWERS = (32, 128, 512), (8, 32, 128)
"""Tokens of the prompts and answers of single calls."""
FILES = ("trivia", "elements")
"""Corpora of short questions with two answers, of which each gives half of the pairs."""
DTYPES = ("bfloat16", "float32")
BARE, LOOP, OURS, UNPRIMED = "bare forward", "usual loop", "halluscope", "halluscope, no primer"

Contestants = Mapping[str, Callable[[], object]]
Ids = tuple[int, ...]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled .jsonl files")
    parser.add_argument("--model", default=DEFAULT_MODEL, help=f"language model: {', '.join(KNOWN_MODELS)}")
    parser.add_argument("--dtypes", nargs="+", default=DTYPES, help="of the language model's weights")
    parser.add_argument("--rounds", type=int, default=5, help="turns of every contestant")
    parser.add_argument("--pairs", type=int, default=400, help="pairs of a file")
    parser.add_argument(
        "--trained", type=int, default=2000, help="pairs to train on, in a third of the rounds"
    )
    arguments = parser.parse_args()
    pairs, labelled = (two_answers(arguments.data, n) for n in (arguments.pairs, arguments.trained))
    path = RESULTS / f"{arguments.model}.json"
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for dtype in arguments.dtypes:
        lm = LanguageModel.from_pretrained(arguments.model, dtype=getattr(torch, dtype))
        detector = Detector.load(shipped_detector(arguments.model), lm).set_params(progress=False)
        parts: dict[str, Callable[[], Any]] = {
            "calls": partial(single_calls, detector, arguments.rounds),
            "files": partial(files, detector, pairs, arguments.rounds),
            "training": partial(training, detector, labelled, max(1, arguments.rounds // 3)),
        }
        results[dtype] = {
            "command": f"python -m benchmarks.speed --data DIR --model {arguments.model} --dtypes {dtype} "
            f"--rounds {arguments.rounds} --pairs {arguments.pairs} --trained {arguments.trained}",
            "threads": torch.get_num_threads(),
        }
        for name, measured in parts.items():
            results[dtype][name] = measured()
            print(dtype, name, json.dumps(results[dtype][name], indent=1), flush=True)
            with written_whole(path) as unfinished:
                unfinished.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def single_calls(detector: Detector, rounds: int) -> list[dict[str, Any]]:
    """One warm `detect` against the bare forward pass over the same tokens, by lengths."""
    found = []
    unprimed = without_primer(detector)
    with progress_bar("Single calls", len(PROMPTS) * len(ANSWERS)) as advance:
        for prompt in PROMPTS:
            for answer in ANSWERS:
                ids = some_ids(detector.lm, prompt + answer)
                contestants: Contestants = {
                    BARE: partial(each, forward, detector.lm, [ids]),
                    OURS: partial(detector.detect, ids[:prompt], ids[prompt:]),
                    UNPRIMED: partial(unprimed.detect, ids[:prompt], ids[prompt:]),
                }
                found.append({"prompt": prompt, "answer": answer, **against(BARE, contestants, 2 * rounds)})
                advance(1)
    return found


def files(detector: Detector, pairs: Sequence[Pair], rounds: int) -> dict[str, Any]:
    """Many pairs: two answers to a prompt, and one answer with nothing in common with others."""
    lm, unprimed = detector.lm, without_primer(detector)
    read = [pair.ids for pair in unprimed.tokenize(pairs)]
    alone = one_answer(unprimed, pairs)
    lone = [(*pair.prompt, *pair.answer) for pair in alone]
    found = {}
    for name, judged, tokens in (("two answers a prompt", pairs, read), ("nothing shared", alone, lone)):
        contestants: dict[str, Callable[[], object]] = {
            BARE: partial(each, forward, lm, tokens),
            LOOP: partial(each, all_states, lm, tokens),
            UNPRIMED: partial(unprimed.predict_proba, judged),
        }
        if judged is pairs:
            contestants[OURS] = partial(detector.predict_proba, pairs)
        found[name] = {
            "pairs": len(tokens),
            "tokens": float(np.mean([len(ids) for ids in tokens])),
            **against(LOOP, contestants, rounds),
            "features and classifier": share_of_features(unprimed, judged),
        }
    return found


def training(detector: Detector, pairs: Sequence[Pair], rounds: int) -> dict[str, Any]:
    """A detector trained, against two bare passes over the tokens that it reads."""
    lm = detector.lm
    tokens = [pair.ids for pair in without_primer(detector).tokenize(pairs)]
    contestants: Contestants = {
        BARE: partial(each, forward, lm, [*tokens, *tokens]),
        OURS: lambda: Detector(lm, progress=False).fit(pairs),
    }
    return {"pairs": len(pairs), **against(BARE, contestants, rounds, warm_up=False)}


def against(base: str, contestants: Contestants, rounds: int, *, warm_up: bool = True) -> dict[str, Any]:
    """Median milliseconds of each contestant, and how many times as long as one of them it takes.

    Parameters
    ----------
    base : str
        The contestant that all are compared with, round by round.
    contestants : mapping of str to callable
    rounds : int
        Turns of each that count.
    warm_up : bool, default True
        Whether a turn that is not counted comes before them.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + warm_up):
        # a new order every round: nobody always follows the one who fills the caches
        names = np.random.default_rng(turn).permutation(list(contestants))
        for name in names:
            start = time.perf_counter()
            contestants[name]()
            seconds[name].append(time.perf_counter() - start)
    counted = {name: np.array(taken[warm_up:]) for name, taken in seconds.items()}
    return {
        "milliseconds": {name: float(np.median(taken)) * 1000 for name, taken in counted.items()},
        "ratio": {
            name: {
                "median": float(np.median(taken / counted[base])),
                "low": float(np.min(taken / counted[base])),
                "high": float(np.max(taken / counted[base])),
            }
            for name, taken in counted.items()
            if name != base
        },
    }


def share_of_features(detector: Detector, pairs: Sequence[Pair]) -> float:
    """The part of a run that features and classifier take."""
    start = time.perf_counter()
    surfaces = detector.learned.record(detector.lm, detector.tokenize(pairs), detector.measures)
    recorded = time.perf_counter()
    detector.score_surfaces(surfaces)
    end = time.perf_counter()
    return (end - recorded) / (end - start)


def each(work: Callable[[LanguageModel, Ids], object], lm: LanguageModel, sequences: Sequence[Ids]) -> None:
    """Do some work on one sequence after the other."""
    for ids in sequences:
        work(lm, ids)


def forward(lm: LanguageModel, ids: Ids) -> object:
    """The bare pass: every token, with its logits."""
    with torch.inference_mode():
        return lm.model(torch.tensor([ids], device=lm.device))


def all_states(lm: LanguageModel, ids: Ids) -> object:
    """What is usually done to look inside: all hidden states, copied to NumPy."""
    with torch.inference_mode():
        output = lm.model(torch.tensor([ids], device=lm.device), output_hidden_states=True)
    return [state[0].float().cpu().numpy() for state in output.hidden_states]


def without_primer(detector: Detector) -> Detector:
    """The same detector reading pairs as they are: what it says is worth less, what it costs is compared."""
    other = copy.copy(detector)
    other.primer_ = ()
    return other


def two_answers(folder: Path, n: int) -> list[Pair]:
    """The first pairs of `FILES`, as many of each."""
    each = n // len(FILES)
    return [
        pair for name in FILES for pair in list(read_records(folder / f"{name}.jsonl", labelled=True))[:each]
    ]


def one_answer(detector: Detector, pairs: Sequence[Pair]) -> list[Pair]:
    """One pair of each prompt, as token ids that begin each with another token."""
    ordered = sorted(pairs, key=lambda pair: str(pair.prompt))
    firsts = [next(same) for _, same in groupby(ordered, key=lambda pair: str(pair.prompt))]
    records = []
    for pair, first in zip(detector.tokenize(firsts), some_ids(detector.lm, len(firsts)), strict=True):
        records.append({"prompt": [first, *pair.ids[1 : pair.start]], "answer": list(pair.ids[pair.start :])})
    return as_pairs(records)


def some_ids(lm: LanguageModel, n: int) -> Ids:
    """Tokens spread over the vocabulary, all different as long as it lasts."""
    vocabulary = len(lm.tokenizer)
    common = vocabulary // 8  # the first are bytes and control tokens
    return tuple(common + number * 7919 % (vocabulary - common) for number in range(n))


if __name__ == "__main__":
    main()
