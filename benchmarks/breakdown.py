"""Where does a verdict's time go? ``python -m benchmarks.breakdown [--model NAME]``.

Times single calls cut short: the decoder alone, the decoder behind the primer, the surface, the whole
`detect`, each against the bare forward pass over the pair's own tokens, in turns as in `benchmarks.speed`.
What a step costs is how much it takes beyond the one before. Writes
``benchmarks/results/breakdown/MODEL.json``.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.speed import (
    ANSWERS,
    BARE,
    PROMPTS,
    Contestants,
    against,
    each,
    forward,
    some_ids,
    without_primer,
)
from halluscope import Detector, LanguageModel
from halluscope.detector.shipped import shipped_detector
from halluscope.files import written_whole
from halluscope.lm.catalogue import DEFAULT_MODEL, KNOWN_MODELS
from halluscope.records import as_pairs

RESULTS = Path(__file__).parent / "results" / "breakdown"
DECODER, PRIMED, SURFACE, DETECT = "decoder alone", "behind the primer", "its surface", "detect"
STEPS = (DECODER, PRIMED, SURFACE, DETECT)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.breakdown", description=__doc__)
    parser.add_argument("--model", default=DEFAULT_MODEL, help=f"language model: {', '.join(KNOWN_MODELS)}")
    parser.add_argument("--dtype", default="float32", help="of the language model's weights")
    parser.add_argument("--rounds", type=int, default=10, help="turns of every step")
    arguments = parser.parse_args()
    lm = LanguageModel.from_pretrained(arguments.model, dtype=getattr(torch, arguments.dtype))
    detector = Detector.load(shipped_detector(arguments.model), lm).set_params(progress=False)
    calls = [
        {
            "prompt": prompt,
            "answer": answer,
            **against(BARE, steps(detector, prompt, answer), arguments.rounds),
        }
        for prompt in PROMPTS
        for answer in (ANSWERS[0], ANSWERS[-1])
    ]
    results = {
        "command": f"python -m benchmarks.breakdown --model {arguments.model} --dtype {arguments.dtype} "
        f"--rounds {arguments.rounds}",
        "threads": torch.get_num_threads(),
        "calls": calls,
    }
    print(json.dumps(results, indent=1))
    with written_whole(RESULTS / f"{arguments.model}.json") as unfinished:
        unfinished.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def steps(detector: Detector, prompt: int, answer: int) -> Contestants:
    """A call over so many tokens, cut short after each step, and the bare forward pass."""
    lm, ids = detector.lm, some_ids(detector.lm, prompt + answer)
    pairs = as_pairs([{"prompt": list(ids[:prompt]), "answer": list(ids[prompt:])}])
    alone, primed = without_primer(detector).tokenize(pairs), detector.tokenize(pairs)
    return {
        BARE: partial(each, forward, lm, [ids]),
        DECODER: partial(lm.visit, alone, unseeing),
        PRIMED: partial(lm.visit, primed, unseeing),
        SURFACE: partial(detector.learned.record, lm, primed, detector.measures),
        DETECT: partial(detector.detect, ids[:prompt], ids[prompt:]),
    }


def unseeing(indices: list[int]) -> Any:
    """A visitor that looks at no state."""
    return lambda state: None


if __name__ == "__main__":
    main()
