"""What does a verdict take in memory, and does it grow? ``python -m benchmarks.memory --data DIR``.

Every contestant runs in a process of its own, whose peak resident memory is read when it is done, less what
was when language model and detector were loaded (on Linux the kernel's mark of the peak is reset there).
One batch: the bare decoder pass, the same with all hidden states, and the detector. Files: `predict_proba`
over more and more pairs, and training. Writes ``benchmarks/results/memory/MODEL.json`` after each part.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.resident import peak_megabytes
from benchmarks.speed import some_ids, two_answers, without_primer
from halluscope import Detector, LanguageModel
from halluscope.detector.shipped import shipped_detector
from halluscope.files import written_whole
from halluscope.lm.catalogue import DEFAULT_MODEL, KNOWN_MODELS
from halluscope.records import Pair, as_pairs

RESULTS = Path(__file__).parent / "results" / "memory"
BATCH = (16, 384, 128)
"""Pairs of one batch, tokens of their prompts and of their answers."""
DECODER, STATES, OURS = "bare decoder", "all hidden states", "halluscope"
SIZES = (1000, 2000, 4000, 8000, 16000)
TRAINED = (1000, 2000, 4000)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled .jsonl files")
    parser.add_argument("--model", default=DEFAULT_MODEL, help=f"language model: {', '.join(KNOWN_MODELS)}")
    parser.add_argument("--rounds", type=int, default=3, help="processes of every contestant of one batch")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES, help="pairs of the scored files")
    parser.add_argument("--trained", type=int, nargs="*", default=TRAINED, help="pairs of the trainings")
    parser.add_argument("--contestant", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contestant:
        name, size = arguments.contestant
        print(json.dumps(run(name, int(size), arguments.data, arguments.model)))
        return
    found: dict[str, Any] = {
        "command": f"python -m benchmarks.memory --data DIR --model {arguments.model} --rounds "
        f"{arguments.rounds} --sizes {' '.join(map(str, arguments.sizes))} "
        f"--trained {' '.join(map(str, arguments.trained))}",
        "threads": torch.get_num_threads(),
        "batch": {},
        "score": {},
        "train": {},
    }

    def measure(part: str, key: str, contestant: str, size: int, rounds: int = 1) -> None:
        runs = [in_a_process(contestant, size, arguments.data, arguments.model) for _ in range(rounds)]
        found[part][key] = {name: float(np.median([run[name] for run in runs])) for name in runs[0]}
        print(part, key, json.dumps(found[part][key]), flush=True)
        with written_whole(RESULTS / f"{arguments.model}.json") as unfinished:
            unfinished.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")

    for contestant in (DECODER, STATES, OURS):
        measure("batch", contestant, contestant, 0, arguments.rounds)
    for size in arguments.sizes:
        measure("score", str(size), "score", size)
    for size in arguments.trained:
        measure("train", str(size), "train", size)


def in_a_process(contestant: str, size: int, data: Path, model: str) -> dict[str, float]:
    """What `run` gives in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.memory", "--data", str(data), "--model", model]
    done = subprocess.run(
        [*command, "--contestant", contestant, str(size)], check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def run(contestant: str, size: int, data: Path, model: str) -> dict[str, float]:
    """Megabytes that a contestant takes beyond what is loaded, and seconds."""
    lm = LanguageModel.from_pretrained(model)
    detector = Detector.load(shipped_detector(model), lm).set_params(progress=False)
    if size:
        pairs = many_pairs(data, size)
        work: Callable[[], object] = partial(detector.predict_proba, pairs)
        if contestant == "train":
            labels = np.arange(size) % 2 == 0
            work = partial(Detector(lm, prior=False, progress=False).fit, pairs, labels)
    else:
        work = partial(one_batch, contestant, without_primer(detector))
    # what the first call of anything loads and keeps is no part of what a batch takes
    detector.detect("Where is Rome?", "In Italy.")
    before = peak_megabytes(reset=True)
    start = time.perf_counter()
    work()
    return {"megabytes": peak_megabytes() - before, "seconds": time.perf_counter() - start}


def one_batch(contestant: str, detector: Detector) -> object:
    """Run one batch of token ids that have nothing in common."""
    n, prompt, answer = BATCH
    ids = torch.tensor(some_ids(detector.lm, n * (prompt + answer))).reshape(n, -1)
    if contestant == OURS:
        detector.lm.token_budget = ids.numel()
        rows = ids.tolist()
        return detector.predict_proba([{"prompt": r[:prompt], "answer": r[prompt:]} for r in rows])
    with torch.inference_mode():
        decoder = detector.lm.anatomy.decoder
        return decoder(ids, output_hidden_states=contestant == STATES, use_cache=False)


def many_pairs(data: Path, n: int) -> Sequence[Pair]:
    """As many pairs as wanted: those of `two_answers` over and over, each prompt with a number of its own."""
    pairs = two_answers(data, 1000)
    return as_pairs(
        [
            {"prompt": f"{pair.prompt} ({number // len(pairs)})", "answer": pair.answer}
            for number in range(n)
            for pair in [pairs[number % len(pairs)]]
        ]
    )


if __name__ == "__main__":
    main()
