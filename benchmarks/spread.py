"""Do two workers score twice as fast as one? ``python -m benchmarks.spread --data DIR``.

Scores files with `halluscope.distributed.score_file` on one and on two workers of one thread each, in turns.
Starting Ray, the workers and their models takes the same for any file: what counts is how much longer a long
file takes than a short one. Writes ``benchmarks/results/spread/MODEL.json``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import ray

from benchmarks.memory import many_pairs
from halluscope.distributed import score_file
from halluscope.distributed.workers import Workers
from halluscope.files import written_whole
from halluscope.lm.catalogue import DEFAULT_MODEL, KNOWN_MODELS

RESULTS = Path(__file__).parent / "results" / "spread"
WORKERS = (1, 2)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spread", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled .jsonl files")
    parser.add_argument("--model", default=DEFAULT_MODEL, help=f"language model: {', '.join(KNOWN_MODELS)}")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each number of workers")
    parser.add_argument("--sizes", type=int, nargs=2, default=(512, 2048), help="pairs of both files")
    arguments = parser.parse_args()
    ray.init(num_cpus=max(WORKERS), log_to_driver=False)
    seconds: dict[int, list[float]] = {number: [] for number in WORKERS}
    with tempfile.TemporaryDirectory() as folder:
        files = [write_pairs(arguments.data, size, Path(folder)) for size in arguments.sizes]
        for turn in range(arguments.rounds):
            for number in np.random.default_rng(turn).permutation(WORKERS).tolist():
                short, long = (timed(path, number, arguments.model) for path in files)
                seconds[number].append(long - short)
                print(f"{number} workers: {long - short:.1f} s more for the longer file", flush=True)
    pairs = arguments.sizes[1] - arguments.sizes[0]
    ratios = np.array(seconds[1]) / np.array(seconds[2])
    results = {
        "command": f"python -m benchmarks.spread --data DIR --model {arguments.model} --rounds "
        f"{arguments.rounds} --sizes {' '.join(map(str, arguments.sizes))}",
        "milliseconds a pair": {n: 1000 * float(np.median(taken)) / pairs for n, taken in seconds.items()},
        "ratio": {f.__name__: float(f(ratios)) for f in (np.median, np.min, np.max)},
    }
    print(json.dumps(results, indent=1))
    with written_whole(RESULTS / f"{arguments.model}.json") as unfinished:
        unfinished.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def write_pairs(data: Path, size: int, folder: Path) -> Path:
    """A file of as many pairs."""
    path = folder / f"{size}.jsonl"
    records = [{"prompt": pair.prompt, "answer": pair.answer} for pair in many_pairs(data, size)]
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def timed(path: Path, workers: int, model: str) -> float:
    """Seconds that scoring a file takes."""
    out = path.with_suffix(".scored.jsonl")
    start = time.perf_counter()
    score_file(path, out, model=model, workers=Workers(workers))
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
